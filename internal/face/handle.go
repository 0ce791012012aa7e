package face

import (
	"database/sql/driver"
	"io"
	"reflect"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A handle is what database/sql holds of rows. Close makes it dead: from then on the rows
// may serve another query of the connection. Like every driver.Rows it is used by one
// goroutine at a time.
type handle struct {
	r    *rows    // nil: the handle is dead
	cols []string // of a dead handle
}

var (
	_ driver.Rows              = (*handle)(nil)
	_ driver.RowsNextResultSet = (*handle)(nil)
)

func (h *handle) Columns() []string {
	if h.r == nil {
		return h.cols
	}
	return h.r.cols
}

func (h *handle) Next(dest []driver.Value) error {
	if h.r == nil {
		return io.EOF
	}
	return h.r.Next(dest)
}

func (h *handle) HasNextResultSet() bool { return h.r != nil && h.r.HasNextResultSet() }

func (h *handle) NextResultSet() error {
	if h.r == nil {
		return io.EOF
	}
	return h.r.NextResultSet()
}

// Close closes the rows. Closing again does nothing.
func (h *handle) Close() error {
	r := h.r
	if r == nil {
		return nil
	}
	h.r, h.cols = nil, r.cols
	err := r.Close()
	r.recycle()
	return err
}

func (h *handle) column(i int) columnType {
	if h.r == nil {
		return columnType{scan: reflect.TypeFor[any]()}
	}
	return h.r.column(i)
}

// newRows returns rows for a query, those of an earlier one if there are any.
func newRows(c *conn) *rows {
	r := c.spare
	c.spare = nil
	if r == nil {
		r = &rows{c: c}
		r.fill.call.Orphan = r.orphan
	}
	r.setMarks()
	// The thread closes the inner rows of the last query when it begins with this one.
	// So they are free for the next.
	if r.inner == nil || !r.inner.Gone() {
		r.inner, r.late = r.late, r.inner
	}
	if r.inner == nil || !r.inner.Gone() {
		r.inner = new(pinned.Rows)
	}
	*r.inner = pinned.Rows{}
	return r
}

func (r *rows) setMarks() {
	for i := range r.batches {
		r.batches[i].mark = &r.marks[i]
	}
}

// recycle keeps closed rows for another query of the connection, if nobody else can still
// come to them. After a stop, or the end of the context, the thread may; so may the host of
// a guest, and rows that are a value of a row.
func (r *rows) recycle() {
	f := &r.fill
	if !r.c.owns || r.lost || r.shared || f.task != nil || f.ctx.Err() != nil || f.call.Stopped() != nil ||
		!r.quiet && !r.inner.Gone() {
		return
	}
	inner, late, orphan := r.inner, r.late, f.call.Orphan
	*r = rows{c: r.c, inner: inner, late: late}
	r.fill.call.Orphan = orphan
	r.c.spare = r
}
