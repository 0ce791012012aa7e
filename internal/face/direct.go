package face

import (
	"context"
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// direct are the rows of a query that was made on the thread. They are read one
// by one, as the caller asks for them, and their values are not copied.
type direct struct {
	c         *conn
	ctx       context.Context
	q         *inlineQuery // nil: it is another query's, since the rows were closed
	inner     driver.Rows  // set when q is nil
	closed    bool
	described []columnType
}

// An inlineQuery is what a query and its rows need on the thread. One call after the other
// is made with the same fields, and then perhaps those of another query.
type inlineQuery struct {
	c       *conn
	request pinned.Request
	rows    pinned.Rows
	call    call
	step    step
	skipped bool
	nests   bool  // rows are values of its rows
	err     error // what the step returned
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
	iq := c.spareInline
	c.spareInline = nil
	if iq == nil {
		iq = new(inlineQuery)
	}
	iq.c, iq.request = c, q
	iq.call.writes, iq.call.trace = true, trace
	err = iq.take(openQuery, ctx)
	if iq.skipped {
		c.skip = true
	}
	if err != nil {
		return nil, err
	}
	trace.Whole()
	trace.Rows(0)
	return &direct{c: c, ctx: ctx, q: iq}, nil
}

// take makes a step on the thread.
func (q *inlineQuery) take(s step, ctx context.Context) error {
	q.step, q.err = s, nil
	if err := q.call.whole(ctx, q.c, q); err != nil {
		return err
	}
	return q.call.verdict(q.err)
}

// Do makes the step.
func (q *inlineQuery) Do(inner context.Context) {
	switch q.step {
	case openQuery:
		q.skipped, q.err = q.c.pc.Query(inner, q.c.held(), &q.request, &q.rows)
	case closeRows:
		q.err = q.rows.Close()
	}
}

// query returns what the rows need. If they gave it away, they get it as closed rows have it.
func (r *direct) query() *inlineQuery {
	if r.q == nil {
		r.q = new(inlineQuery)
		r.q.rows.SetClosed(r.inner)
	}
	return r.q
}

func (r *direct) Columns() []string {
	if !r.c.pc.OnThread() {
		var cols []string
		r.c.closing(func() error { cols = r.query().rows.Inner().Columns(); return nil })
		return cols
	}
	return r.query().rows.Inner().Columns()
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
	case r.query().call.trace == nil || err == io.EOF:
	case err == nil:
		r.query().call.trace.Rows(1)
	default:
		r.query().call.trace.Fail(err)
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
	if err := r.query().rows.Next(dest); err != nil {
		return err
	}
	for i, v := range dest {
		if rs, ok := v.(driver.Rows); ok {
			n := &direct{c: r.c, ctx: r.ctx, q: new(inlineQuery)}
			r.query().rows.Nest(&n.q.rows, rs)
			r.query().nests, n.q.nests = true, true
			dest[i] = n
		}
	}
	return nil
}

func (r *direct) HasNextResultSet() bool {
	more := false
	r.c.closing(func() error { more = r.query().rows.HasNextResultSet(); return nil })
	return more
}

func (r *direct) NextResultSet() error {
	r.described = nil
	return r.c.do(r.ctx, nil, func(context.Context) error { return r.query().rows.NextResultSet() }, func() {})
}

// Close closes the inner rows. A call whose context was watched is not used again: what
// stops it may still come.
func (r *direct) Close() (err error) {
	q := r.query()
	if trace := q.call.trace; trace != nil {
		defer func() { trace.End(err) }()
	}
	if r.closed || r.c.over.Load() || !r.watched() {
		return r.c.closing(q.rows.Close)
	}
	r.closed = true
	q.c, q.call.closing, q.call.writes = r.c, true, false
	if err := q.take(closeRows, context.Background()); err != nil {
		return err
	}
	if q.call.trace == nil && !q.nests {
		r.q, r.inner = nil, q.rows.Inner()
		*q = inlineQuery{}
		r.c.spareInline = q
	}
	return nil
}

func (r *direct) column(i int) columnType {
	if r.described == nil {
		r.c.closing(func() error {
			r.described = describe(r.query().rows.Inner(), len(r.query().rows.Inner().Columns()))
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
