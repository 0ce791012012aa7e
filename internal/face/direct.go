package face

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// direct are the rows of a query that was made on the thread. They are read one
// by one, as the caller asks for them, and their values are not copied. One call
// after the other is made with the same fields.
type direct struct {
	c         *conn
	ctx       context.Context
	request   pinned.Request
	inner     pinned.Rows
	call      call
	step      step
	skipped   bool
	closed    bool
	err       error // what the step returned
	described []columnType
}

var (
	_ driver.Rows                           = (*direct)(nil)
	_ driver.RowsNextResultSet              = (*direct)(nil)
	_ driver.RowsColumnTypeScanType         = (*direct)(nil)
	_ driver.RowsColumnTypeDatabaseTypeName = (*direct)(nil)
	_ driver.RowsColumnTypeLength           = (*direct)(nil)
	_ driver.RowsColumnTypeNullable         = (*direct)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*direct)(nil)
)

// queryDirectly queries on the thread.
func (c *conn) queryDirectly(ctx context.Context, q pinned.Request) (rs driver.Rows, err error) {
	ctx, trace := c.pc.Trace(ctx, pinned.OpQuery, q.Query)
	if trace != nil {
		defer func() {
			if rs == nil {
				trace.End(err)
			}
		}()
	}
	r := &direct{c: c, ctx: ctx, request: q}
	r.call.writes, r.call.trace = true, trace
	err = r.take(openQuery, ctx)
	if r.skipped {
		c.skip = true
	}
	if err != nil {
		return nil, err
	}
	trace.Whole()
	trace.Rows(0)
	return r, nil
}

// take makes a step on the thread.
func (r *direct) take(s step, ctx context.Context) error {
	r.step, r.err = s, nil
	if err := r.call.whole(ctx, r.c, r); err != nil {
		return err
	}
	return r.call.verdict(r.err)
}

// Do makes the step.
func (r *direct) Do(inner context.Context) {
	switch r.step {
	case openQuery:
		r.skipped, r.err = r.c.pc.Query(inner, r.c.held(), &r.request, &r.inner)
	case closeRows:
		r.err = r.inner.Close()
	}
}

func (r *direct) Columns() []string {
	if !r.c.pc.OnThread() {
		var cols []string
		r.c.closing(func() error { cols = r.inner.Inner().Columns(); return nil })
		return cols
	}
	return r.inner.Inner().Columns()
}

// watched reports whether the caller is on the thread, and nobody needs to watch the
// context of the rows.
func (r *direct) watched() bool {
	return r.c.pc.OnThread() && (r.ctx.Done() == nil || r.c.scoped(r.ctx))
}

// Next reads a row. Off the thread it costs a hop.
func (r *direct) Next(dest []driver.Value) error {
	err := r.nextRow(dest)
	switch {
	case r.call.trace == nil || err == io.EOF:
	case err == nil:
		r.call.trace.Rows(1)
	default:
		r.call.trace.Fail(err)
	}
	return err
}

func (r *direct) nextRow(dest []driver.Value) error {
	r.described = nil // it may be that of the row before
	if r.watched() {
		return r.next(dest)
	}
	row := make([]driver.Value, len(dest)) // the caller may leave
	var end error
	err := r.c.do(r.ctx, nil, func(context.Context) error {
		end = r.next(row)
		return end
	}, func() {})
	copy(dest, row)
	if end == io.EOF && err == nil {
		return io.EOF
	}
	return err
}

func (r *direct) next(dest []driver.Value) error {
	if err := r.inner.Next(dest); err != nil {
		return err
	}
	for i, v := range dest {
		if rs, ok := v.(driver.Rows); ok {
			n := &direct{c: r.c, ctx: r.ctx}
			r.inner.Nest(&n.inner, rs)
			dest[i] = n
		}
	}
	return nil
}

func (r *direct) HasNextResultSet() bool {
	more := false
	r.c.closing(func() error { more = r.inner.HasNextResultSet(); return nil })
	return more
}

func (r *direct) NextResultSet() error {
	r.described = nil
	return r.c.do(r.ctx, nil, func(context.Context) error { return r.inner.NextResultSet() }, func() {})
}

// Close closes the inner rows. A call whose context was watched is not used again: what
// stops it may still come.
func (r *direct) Close() (err error) {
	if trace := r.call.trace; trace != nil {
		defer func() { trace.End(err) }()
	}
	if r.closed || r.c.over.Load() || !r.watched() {
		return r.c.closing(r.inner.Close)
	}
	r.closed = true
	r.call.closing, r.call.writes = true, false
	return r.take(closeRows, context.Background())
}

func (r *direct) column(i int) columnType {
	if r.described == nil {
		r.c.closing(func() error {
			r.described = describe(r.inner.Inner(), len(r.inner.Inner().Columns()))
			return nil
		})
	}
	if i >= len(r.described) {
		return columnType{scan: reflect.TypeFor[any]()}
	}
	return r.described[i]
}

func (r *direct) ColumnTypeScanType(i int) reflect.Type   { return r.column(i).scan }
func (r *direct) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).name }
func (r *direct) ColumnTypeLength(i int) (int64, bool) {
	t := r.column(i)
	return t.length, t.hasLength
}
func (r *direct) ColumnTypeNullable(i int) (nullable, ok bool) {
	t := r.column(i)
	return t.nullable, t.hasNullable
}
func (r *direct) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	t := r.column(i)
	return t.precision, t.scale, t.hasPrecisionScale
}
