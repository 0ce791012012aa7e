package overlay

import (
	"context"
	"database/sql"
)

// What follows blocks. It is the interface that object-relational mappers and
// schema tools take, so that they accept an Engine or a Conn; SyncDB and
// SyncConn say that blocking is meant.

// QueryContext is sql.DB's.
func (e *Engine) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return e.db.QueryContext(ctx, query, args...)
}

// ExecContext is sql.DB's.
func (e *Engine) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return e.db.ExecContext(ctx, query, args...)
}

// PrepareContext is sql.DB's.
func (e *Engine) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return e.db.PrepareContext(ctx, query)
}

// QueryRowContext is sql.DB's.
func (e *Engine) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return e.db.QueryRowContext(ctx, query, args...)
}

// RunCallable calls fn with a connection, in the calling goroutine, and returns its
// error. It blocks: RunInThread does not.
func (e *Engine) RunCallable(ctx context.Context, fn func(*sql.Conn) error) error {
	sc, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer sc.Close()
	return fn(sc)
}

// QueryContext is sql.Conn's.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.s.lane.sc.QueryContext(ctx, query, args...)
}

// ExecContext is sql.Conn's.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.s.lane.sc.ExecContext(ctx, query, args...)
}

// PrepareContext is sql.Conn's.
func (c *Conn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return c.s.lane.sc.PrepareContext(ctx, query)
}

// QueryRowContext is sql.Conn's.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.s.lane.sc.QueryRowContext(ctx, query, args...)
}

// RunCallable calls fn with the connection, in the calling goroutine, and returns its
// error. It blocks: RunInThread does not.
func (c *Conn) RunCallable(_ context.Context, fn func(*sql.Conn) error) error {
	return fn(c.s.lane.sc)
}
