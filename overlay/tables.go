package overlay

import (
	"context"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A TableOption says where HasTableAsync and TableNamesAsync look.
type TableOption func(*tables)

type tables struct {
	schema string
	on     Target
}

// InSchema looks in a schema: on SQLite an attached database or "temp", on MySQL a
// database. The default is the connection's own: on SQLite main, and for
// HasTableAsync also temp.
func InSchema(name string) TableOption { return func(t *tables) { t.schema = name } }

// On asks through a connection, which sees its own temporary tables and what it
// has not committed yet.
func On(c *Conn) TableOption {
	return func(t *tables) {
		if c != nil {
			t.on = c
		}
	}
}

// HasTableAsync returns whether there is a table or view of that name. Temporary
// ones count if the connection that is asked has them. A database of another kind is an
// error; see WithDialect.
func (e *Engine) HasTableAsync(ctx context.Context, name string, opts ...TableOption) *Future[bool] {
	t := e.tables(opts)
	query, args := e.config.dialect.hasTable(t.schema, name)
	if query == "" {
		return completed(e.config, false, e.noDialect())
	}
	if !e.config.dialect.describes() {
		return Scalar[bool](ctx, t.on, query, args...)
	}
	q := newRequest(query, args)
	return send(ctx, t.on, callOptions{kind: read, op: pinned.OpQuery, statement: true, describe: query}, func(ctx context.Context, l *lane) (bool, error) {
		_, err := l.firstRow(ctx, q)
		if err != nil && missingTable(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// TableNamesAsync returns the names of the tables in alphabetical order: without
// views, temporary tables, and those that the database keeps for itself.
func (e *Engine) TableNamesAsync(ctx context.Context, opts ...TableOption) *Future[[]string] {
	t := e.tables(opts)
	query, args := e.config.dialect.tableNames(t.schema)
	if query == "" {
		return completed[[]string](e.config, nil, e.noDialect())
	}
	q := newRequest(query, args)
	return send(ctx, t.on, callOptions{kind: read, op: pinned.OpQuery, statement: true, describe: query}, func(ctx context.Context, l *lane) ([]string, error) {
		keys, values, err := l.all(ctx, q)
		if err != nil {
			return nil, err
		}
		names := make([]string, len(values))
		for i, row := range values {
			if err := (Row{keys, row}).Scan(&names[i]); err != nil {
				return nil, err
			}
		}
		return names, nil
	})
}

func (e *Engine) tables(opts []TableOption) *tables {
	t := &tables{on: e}
	for _, o := range opts {
		if o != nil {
			o(t)
		}
	}
	return t
}

func (e *Engine) noDialect() error {
	name := ""
	if u, ok := e.config.dialect.(unknown); ok {
		name = " " + u.driver
	}
	return fmt.Errorf("overlay: it is not known how to list tables with the driver%s: give WithDialect", name)
}
