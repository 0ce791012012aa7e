package face

import (
	"context"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// stmt is the face of one inner statement.
type stmt struct {
	c     *conn
	query string
	inner *pinned.Stmt
	// closed is the caller's. database/sql closes a statement once; others may
	// do it again.
	closed bool
}

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// NumInput leaves the count to the check on the thread.
func (s *stmt) NumInput() int { return -1 }

// CheckNamedValue accepts everything, as the conn's does.
func (s *stmt) CheckNamedValue(*driver.NamedValue) error { return nil }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.c.execute(ctx, pinned.Request{Query: s.query, Args: args, Stmt: s.inner})
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, pinned.Request{Query: s.query, Args: args, Stmt: s.inner})
}

func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(vs []driver.Value) []driver.NamedValue {
	args := make([]driver.NamedValue, len(vs))
	for i, v := range vs {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return args
}

// Close closes the inner statement, unless the connection's Close has done that.
func (s *stmt) Close() error {
	if s.closed || s.c.closed {
		return nil
	}
	s.closed = true
	return s.c.closing(s.inner.Close)
}
