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
	query     string
	inner     *pinned.Rows
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
func (c *conn) queryDirectly(ctx context.Context, q pinned.Request) (driver.Rows, error) {
	r := &direct{c: c, ctx: ctx, query: q.Query, inner: new(pinned.Rows)}
	skipped := false
	err := c.do(ctx, func(inner context.Context) (err error) {
		skipped, err = c.pc.Query(inner, c.held(), &q, r.inner)
		return err
	}, nil)
	if skipped {
		c.skip = true
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (r *direct) Columns() []string {
	if !r.c.pc.OnThread() {
		var cols []string
		r.c.closing(func() error { cols = r.inner.Inner().Columns(); return nil })
		return cols
	}
	return r.inner.Inner().Columns()
}

// Next reads a row. Off the thread it costs a hop.
func (r *direct) Next(dest []driver.Value) error {
	if r.c.pc.OnThread() && (r.ctx.Done() == nil || r.c.scoped(r.ctx)) {
		return r.next(dest)
	}
	row := make([]driver.Value, len(dest)) // the caller may leave
	var end error
	err := r.c.do(r.ctx, func(context.Context) error {
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
			n := &direct{c: r.c, ctx: r.ctx, query: r.query, inner: new(pinned.Rows)}
			r.inner.Nest(n.inner, rs)
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
	return r.c.do(r.ctx, func(context.Context) error { return r.inner.NextResultSet() }, func() {})
}

func (r *direct) Close() error { return r.c.closing(r.inner.Close) }

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
