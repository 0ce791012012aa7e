package face

import (
	"context"
	"database/sql/driver"
	"io"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// Do is a fill, on the thread.
func (r *rows) Do(inner context.Context) {
	if !r.c.owns && !r.fill.writes {
		r.c.reading.Store(&r.fill.call)
	}
	switch r.step {
	case openQuery:
		r.skipped, r.failed = r.c.pc.Query(inner, r.c.held(), &r.request, r.inner)
		if r.failed != nil {
			return
		}
		r.open()
	case openNextSet:
		if r.failed = r.inner.NextResultSet(); r.failed != nil {
			return
		}
		r.size, r.more = 0, false
		r.open()
	}
	r.read(r.into)
}

// open shows that a result set has begun.
func (r *rows) open() {
	r.cols = r.inner.Inner().Columns()
	r.strict = r.c.opts.Rows == 1 || !r.c.pc.Traits().FixedTypes && describes(r.inner.Inner())
	r.opened.Store(true)
	r.fill.signal()
}

// read reads rows into b until b is full, the rows end, or the caller has closed them.
// It also stops if another call of the connection waits: the next row may be slow, and
// perhaps nobody waits for it.
func (r *rows) read(b *batch) {
	limit := r.nextSize()
	var space []driver.Value
	if b == &r.batches[0] {
		space = r.space[:]
	}
	b.shape(limit, len(r.cols), space)
	bytes := 0
	var err error
	for i := 0; i < limit && !r.inner.Unwanted.Load(); i++ {
		row := b.row(i)
		if err = r.inner.Next(row); err != nil {
			r.end(err)
			break
		}
		bytes += r.own(b, row)
		b.n.Store(int32(i + 1))
		r.fill.signal()
		if r.lazy || bytes >= r.c.opts.Bytes || r.c.pc.Queued() > 0 {
			break
		}
	}
	b.seal(err)
	r.fill.signal()
	if r.inner.Unwanted.Load() {
		r.closeInner()
	}
}

// mostValues bounds the values of a batch: a row may have 2,000 columns.
const mostValues = 4096

// nextSize returns how many rows the next fill reads, which grows from fill to fill.
// The first fill is small: many results have one row, and many callers want only one.
// Strict ones begin with none.
func (r *rows) nextSize() int {
	first := r.size == 0
	switch {
	case r.lazy || r.strict:
		r.size = 1
		if first && !r.lazy {
			return 0
		}
	case first:
		r.size = min(max(2, len(r.space)/max(1, len(r.cols))), 8, r.c.opts.Rows)
	default:
		r.size = min(r.size*8, r.c.opts.Rows)
	}
	r.size = min(r.size, max(1, mostValues/max(1, len(r.cols))))
	return r.size
}

// own copies what the driver may overwrite in a row's values, and returns how many
// bytes of text and binary they hold.
func (r *rows) own(b *batch, row []driver.Value) int {
	bytes := 0
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			bytes += len(v)
			if !r.c.pc.Traits().FreshBytes {
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
	n := &rows{c: r.c, inner: new(pinned.Rows)} // the spare rows are the caller's
	n.fill.call.Orphan = n.orphan
	n.setMarks()
	r.shared, n.shared = true, true // they share the fill's contexts
	n.cols, n.lazy, n.size, n.fills, n.readsOnly = inner.Columns(), true, 1, 1, r.readsOnly
	r.inner.Nest(n.inner, inner)
	n.fill.ctx, n.fill.until = r.fill.ctx, r.fill.until
	n.fill.c = r.c
	n.current = &n.batches[0]
	n.current.seal(nil)
	n.opened.Store(true)
	return &handle{r: n}
}

// end is called on the thread when Next has returned err.
func (r *rows) end(err error) {
	if err != io.EOF {
		return
	}
	r.more = r.inner.HasNextResultSet()
	switch {
	case r.more:
	case r.c.pc.Traits().QuietEnd:
		r.quiet = true
		r.inner.CloseLate()
	case !describes(r.inner.Inner()):
		r.closeInner() // in this hop: nothing more is asked of them
	}
}

// closeInner closes the inner rows on the thread.
func (r *rows) closeInner() error { return r.inner.Close() }
