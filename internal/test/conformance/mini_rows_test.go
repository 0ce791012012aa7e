package conformance

import (
	"bytes"
	"context"
	"database/sql/driver"
	"io"
)

func (c *miniConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	inner, err := c.queryDirect(ctx, query, args)
	if err != driver.ErrSkip {
		return c.rows(inner, nil, err)
	}
	s, err := c.prepare(ctx, query)
	if err != nil {
		return nil, c.skip(err)
	}
	inner, err = s.query(ctx, args)
	if err != nil {
		s.closeImplicit()
		return nil, c.skip(err)
	}
	return c.rows(inner, s, nil)
}

func (c *miniConn) queryDirect(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	modern, isModern := c.inner.(driver.QueryerContext)
	old, isOld := c.inner.(driver.Queryer)
	if !isModern && !isOld {
		return nil, driver.ErrSkip
	}
	args, err := c.m.check(c.inner, nil, args)
	if err != nil {
		return nil, err
	}
	if isModern {
		return modern.QueryContext(ctx, query, args)
	}
	values, err := c.m.old(ctx, args)
	if err != nil {
		return nil, err
	}
	return old.Query(query, values)
}

func (s *miniStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	inner, err := s.query(ctx, args)
	return s.c.rows(inner, nil, err)
}

func (s *miniStmt) query(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	args, err := s.c.m.check(s.c.inner, s.inner, args)
	if err != nil {
		return nil, err
	}
	if q, ok := s.inner.(driver.StmtQueryContext); ok {
		return q.QueryContext(ctx, args)
	}
	values, err := s.c.m.old(ctx, args)
	if err != nil {
		return nil, err
	}
	return s.inner.Query(values)
}

// miniRows reads ahead, and closes early.
type miniRows struct {
	m       *mini
	inner   driver.Rows
	stmt    *miniStmt // to be closed with inner; nil: none
	columns []string
	types   []miniType
	cursors []*miniRows // rows that are values of rows
	ahead   [][]driver.Value
	err     error // after ahead
	failure any   // a panic after ahead
	closed  bool
	closing error
	lazy    bool
}

func (c *miniConn) rows(inner driver.Rows, stmt *miniStmt, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	r := &miniRows{m: c.m, inner: inner, stmt: stmt, lazy: c.m.batch == 1}
	r.describe()
	if !r.lazy {
		r.fill()
	}
	return r, nil
}

// fill reads a batch.
func (r *miniRows) fill() {
	if !r.lazy {
		defer func() { r.failure = recover() }()
	}
	for range r.m.batch {
		row := make([]driver.Value, len(r.columns))
		if r.err = r.inner.Next(row); r.err != nil {
			if r.err == io.EOF && !r.lazy && !r.HasNextResultSet() {
				r.close()
			}
			return
		}
		r.own(row)
		r.ahead = append(r.ahead, row)
		if r.lazy {
			return
		}
	}
}

// own makes the row's memory the wrapper's. With a cursor in it, it stays valid
// only until the next row.
func (r *miniRows) own(row []driver.Value) {
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			if !r.m.has("shares buffers") {
				row[i] = bytes.Clone(v)
			}
		case driver.Rows:
			cursor := &miniRows{m: r.m, inner: v, lazy: true}
			cursor.describe()
			row[i] = cursor
			r.cursors = append(r.cursors, cursor)
			r.lazy = true
		}
	}
}

func (r *miniRows) Columns() []string { return r.columns }

func (r *miniRows) Next(dest []driver.Value) error {
	if r.m.has("hurries errors") && r.err != nil && r.err != io.EOF {
		return r.err
	}
	if len(r.ahead) == 0 && r.err == nil && r.failure == nil {
		r.fill()
	}
	if len(r.ahead) > 0 {
		copy(dest, r.ahead[0])
		r.ahead = r.ahead[1:]
		return nil
	}
	if v := r.failure; v != nil {
		if r.m.has("swallows panics") {
			return io.EOF
		}
		r.failure = nil
		panic(v)
	}
	return r.m.wrapped(r.err)
}

func (r *miniRows) Close() error {
	err := r.close()
	if r.m.has("swallows Rows.Close errors") {
		return nil
	}
	return err
}

func (r *miniRows) close() error {
	if r.closed {
		return r.closing
	}
	r.closed = true
	if r.stmt != nil && r.m.has("closes the statement first") {
		r.stmt.closeImplicit()
	}
	r.closing = r.inner.Close()
	for _, cursor := range r.cursors {
		cursor.close()
	}
	if r.stmt != nil && !r.m.has("closes the statement first") {
		r.stmt.closeImplicit()
	}
	return r.closing
}

func (r *miniRows) HasNextResultSet() bool {
	next, ok := r.inner.(driver.RowsNextResultSet)
	return ok && !r.closed && !r.m.has("hides result sets") && next.HasNextResultSet()
}

func (r *miniRows) NextResultSet() error {
	next, ok := r.inner.(driver.RowsNextResultSet)
	if !ok || r.closed || r.m.has("hides result sets") {
		return io.EOF
	}
	r.ahead, r.err = nil, nil
	if err := next.NextResultSet(); err != nil {
		return err
	}
	if !r.m.has("remembers columns") {
		r.describe()
	}
	return nil
}
