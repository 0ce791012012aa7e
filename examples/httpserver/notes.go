package main

import (
	"context"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

// A note is a row, and its JSON.
type note struct {
	ID   int64  `json:"id"`
	Text string `json:"text"`
}

// notes are the queries. The context of each goes to the call, which it cancels;
// the call's end is awaited without it, so that the result says what has
// happened: after an error of the context the note has not been added.
type notes struct{ engine *overlay.Engine }

func openNotes(ctx context.Context, file string) (*notes, error) {
	// With a write-ahead log readers and the writer do not wait for each other.
	engine, err := overlay.Open("sqlite3", file+"?_journal_mode=WAL&_synchronous=NORMAL")
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

// close waits for the calls under way until ctx ends, and then stops them.
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

// latest returns at most limit notes, the last one first.
func (n *notes) latest(ctx context.Context, limit int) ([]note, error) {
	result, err := n.engine.QueryAsync(ctx, "SELECT id, text FROM notes ORDER BY id DESC LIMIT ?", limit).Await(atLast(ctx))
	if err != nil {
		return nil, err
	}
	list := []note{} // not nil, which is null in JSON
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

// atLast is the context to await a call in that ctx cancels.
func atLast(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
