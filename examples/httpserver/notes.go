package main

import (
	"context"

	"github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

// A note is a row of the table, and a JSON object.
type note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// notes makes the queries. Each context is passed to the call, which it cancels, but
// not to Await, so that the result says what happened: if add returns the context's
// error, the note was not added.
type notes struct{ engine *overlay.Engine }

func openNotes(ctx context.Context, file string) (*notes, error) {
	// What is added while a commit is under way shares the next one. A note that was
	// acknowledged survives the loss of power.
	return openEngine(ctx, file, overlay.WithWriter())
}

func openEngine(ctx context.Context, file string, opts ...overlay.Option) (*notes, error) {
	engine, err := overlay.Open("sqlite3", sqlite3.ServerDSN(file), opts...)
	if err != nil {
		return nil, err
	}
	n := &notes{engine}
	_, err = engine.ExecAsync(ctx,
		"CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)").Await(atLast(ctx))
	if err != nil {
		n.close(ctx)
		return nil, err
	}
	return n, nil
}

// close waits for the calls in progress until ctx ends, and then stops them.
func (n *notes) close(ctx context.Context) error { return n.engine.Shutdown(ctx) }

func (n *notes) add(ctx context.Context, text string) (note, error) {
	result, err := n.engine.ExecAsync(ctx, "INSERT INTO notes (text) VALUES (?)", text).Await(atLast(ctx))
	if err != nil {
		return note{}, err
	}
	id, err := result.LastInsertId()
	return note{id, text}, err
}

// get returns sql.ErrNoRows if there is no such note.
func (n *notes) get(ctx context.Context, id int64) (note, error) {
	text, err := overlay.Scalar[string](ctx, n.engine, "SELECT text FROM notes WHERE id = ?", id).Await(atLast(ctx))
	return note{id, text}, err
}

// latest returns at most limit notes, newest first.
func (n *notes) latest(ctx context.Context, limit int) ([]note, error) {
	result, err := n.engine.QueryAsync(ctx, "SELECT id, text FROM notes ORDER BY id DESC LIMIT ?", limit).Await(atLast(ctx))
	if err != nil {
		return nil, err
	}
	list := []note{} // nil would be null in JSON
	for row, err := range result.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		var n note
		if err := row.Scan(&n.ID, &n.Text); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, nil
}

// atLast returns the context to await a call with that was made with ctx.
func atLast(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
