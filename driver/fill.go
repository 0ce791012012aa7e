package driver

import (
	"context"
	"database/sql/driver"
	"io"
)

// do is a fill, on the thread.
func (r *rows) do(inner context.Context) {
	switch r.step {
	case openQuery:
		rs, stmt, skipped, err := r.request.rows(inner, r.c.inner)
		if err != nil {
			r.skipped, r.failed = skipped, err
			return
		}
		r.inner = rs
		if stmt != nil {
			r.stmt = stmt
		}
		r.c.open.Add(1)
		r.open()
	case openNextSet:
		if r.failed = r.inner.(driver.RowsNextResultSet).NextResultSet(); r.failed != nil {
			return
		}
		r.types, r.size, r.more = nil, 0, false
		r.open()
	}
	r.read(r.into)
}

// open shows that a result set has begun.
func (r *rows) open() {
	r.cols = r.inner.Columns()
	if r.c.link.intr == nil { // what such a driver says may depend on the row that it has come to
		r.describe()
	}
	r.opened.Store(true)
	r.fill.task.Signal()
}

// read reads rows into b until b is full, the rows end, the caller has closed
// them, or another call of the connection waits: a row may take its time, and
// perhaps nobody waits for this one.
func (r *rows) read(b *batch) {
	limit := r.nextSize()
	var space []driver.Value
	if b == &r.batches[0] {
		space = r.space[:]
	}
	b.shape(limit, len(r.cols), space)
	bytes := 0
	var err error
	for i := 0; i < limit && !r.stop.Load(); i++ {
		row := b.row(i)
		if err = r.inner.Next(row); err != nil {
			r.end(err)
			break
		}
		bytes += r.own(b, row)
		b.n.Store(int32(i + 1))
		r.fill.task.Signal()
		if r.lazy || bytes >= r.c.opts.bytes || r.c.link.worker.Stats().Queued > 0 {
			break
		}
	}
	b.seal(err)
	r.fill.task.Signal()
	if r.stop.Load() && !r.gone {
		r.closing = r.closeInner()
	}
}

// nextSize grows from fill to fill. The first one is small: many a result is
// one row, and many a caller wants no more. Strictly lazy rows begin
// with none.
func (r *rows) nextSize() int {
	first := r.size == 0
	switch {
	case r.lazy || r.c.opts.rows == 1:
		r.size = 1
		if first && !r.lazy {
			return 0
		}
	case first:
		r.size = min(max(2, len(r.space)/max(1, len(r.cols))), 8, r.c.opts.rows)
	default:
		r.size = min(r.size*8, r.c.opts.rows)
	}
	return r.size
}

// own makes the values of a row the batch's own and returns how many bytes of
// text and binary they hold.
func (r *rows) own(b *batch, row []driver.Value) int {
	bytes := 0
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			bytes += len(v)
			if !r.c.traits.FreshBytes {
				row[i] = b.keep(v)
			}
		case string:
			bytes += len(v)
		case driver.Rows:
			row[i] = r.nest(v)
		}
	}
	return bytes
}

// nest wraps rows that are a value of a row. They are good until the parent's
// next row, so the parent must not read ahead from here on.
func (r *rows) nest(inner driver.Rows) driver.Rows {
	r.lazy = true
	n := &rows{c: r.c, inner: inner, cols: inner.Columns(), lazy: true, size: 1, fills: 1}
	n.fill.ctx, n.fill.until = r.fill.ctx, r.fill.until
	n.fill.c = r.c
	n.current = &n.batches[0]
	n.current.seal(nil)
	n.opened.Store(true)
	r.c.open.Add(1)
	r.nested = append(r.nested, n)
	return n
}

// end is called on the thread when Next has returned err.
func (r *rows) end(err error) {
	if err != io.EOF {
		return
	}
	if next, ok := r.inner.(driver.RowsNextResultSet); ok {
		r.more = next.HasNextResultSet()
	}
	switch {
	case r.more:
	case r.c.traits.QuietEnd:
		r.quiet = true
		r.c.late = append(r.c.late, r)
	default:
		r.describe() // afterwards nobody can ask any more
		r.closing = r.closeInner()
	}
}

// closeInner closes the inner rows on the thread, and the statement that was
// made for them.
func (r *rows) closeInner() error {
	if r.gone {
		return r.closing
	}
	r.gone = true
	r.c.open.Add(-1)
	err := r.inner.Close()
	for _, n := range r.nested { // read or not, they end with their parent
		n.closing = n.closeInner()
	}
	if r.stmt != nil {
		r.stmt.Close()
	}
	return err
}
