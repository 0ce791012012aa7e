package face

import (
	"context"
	"database/sql/driver"
	"io"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// rows is the shim of one inner Rows; database/sql holds a handle of it. The worker reads
// ahead of the caller, a batch at a time, and shows each row as soon as it has it:
//
//	caller                                      worker
//	query ─────────────────── first fill ─────► opened, row, row, …, seal
//	Next, Next: takes rows ── second fill ────► row, row, …, seal
//
// There are two batches. The worker fills one while the caller takes from the
// other. At most one fill is under way.
type rows struct {
	c    *conn
	fill call // the last fill begun

	// The caller's.
	current   *batch       // rows are taken from here
	taken     int          // how many rows of current were taken
	before    int          // and of the batches before
	ahead     *batch       // begun or filled after current; nil: none
	fills     int          // how many were begun in this result set
	described []columnType // nil: the caller has not asked for them
	told      bool         // Next has returned the error that ended the rows
	stopped   bool         // Close has had the fill stopped
	readsOnly bool         // stopping the query costs only its rows
	lost      bool         // a fill was left: the thread closes the rows
	shared    bool         // somebody else may come to them after Close: see recycle

	// The caller's between fills, the worker's during them.
	request pinned.Request
	step    step   // what the next fill has to do first
	into    *batch // the batch that it fills
	strict  bool   // it reads the row that the caller waits for, and none before the first Next

	// The worker's, during a fill. The caller reads them after opened, a
	// batch's seal or the end of the fill has shown them.
	skipped bool         // shown by the fill's end: a statement made for the request returned ErrSkip
	more    bool         // shown by a seal with io.EOF: there is another result set
	lazy    bool         // shown by a row: read no further ahead of the caller
	quiet   bool         // shown by the fill's end: inner will be closed before a later call
	size    int          // rows of the last fill
	inner   *pinned.Rows // never nil
	late    *pinned.Rows // the caller's: of the query before, see newRows; may be nil
	cols    []string     // shown by opened

	_      line        // the caller polls what follows, and the worker writes it
	opened atomic.Bool // set by the worker
	marks  [2]mark     // of batches
	_      line

	batches [2]batch
	space   [8]driver.Value // the first batch's, if it fits

	failed error // shown by the fill's end: the result set was not opened
}

// line keeps what the caller writes and what the thread writes on different cache
// lines.
type line [64]byte

type step int

const (
	openQuery step = iota
	openNextSet
	readOn
	closeRows // of direct rows alone
)

// QueryContext queries in one hop, which also brings the columns and the first rows,
// even if the inner connection needs a statement for it.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, pinned.Request{Query: query, Args: args})
}

// query returns when the query has columns or has failed; the first rows
// follow in the same hop. On the thread the rows are read one by one.
func (c *conn) query(ctx context.Context, q pinned.Request) (rs driver.Rows, err error) {
	if err := c.ended(); err != nil {
		return nil, err
	}
	if c.pc.OnThread() {
		return c.queryDirectly(ctx, q)
	}
	if c.guarded(ctx) {
		after, err := c.guard(ctx, q.Query)
		if err != nil {
			return nil, err
		}
		if after != nil {
			defer after()
		}
	}
	ctx, trace := c.pc.Trace(ctx, pinned.OpQuery, q.Query)
	if trace != nil {
		defer func() {
			if rs == nil {
				trace.End(err)
			}
		}()
	}
	q.Args = c.own(ctx, q.Args)
	r := newRows(c)
	r.request, r.readsOnly = q, c.pc.ReadsOnly(q.Query)
	r.fill.writes = !r.readsOnly && !sqltext.ReadsOnly(q.Query, c.pc.Dialect())
	r.fill.trace = trace
	err = r.start(ctx, openQuery)
	if r.lost { // the fill was left: its results are the thread's
		return nil, err
	}
	if r.skipped {
		c.skip = true
	}
	if err != nil {
		return nil, err
	}
	return &handle{r: r}, nil
}

// orphan closes on the thread the rows of a caller who has left.
func (r *rows) orphan() { r.closeInner() }

// start opens a result set: the query's first, or the next one.
func (r *rows) start(ctx context.Context, s step) error {
	b := &r.batches[0]
	b.reset()
	r.before += r.taken
	r.current, r.taken, r.ahead, r.fills, r.described = b, 0, nil, 1, nil
	r.opened.Store(false)
	r.step, r.into = s, b
	err := r.fill.begin(ctx, r.c, r)
	if err == nil {
		err = r.fill.await(r.opened.Load)
	}
	switch {
	case err != nil:
		r.fill.task, r.lost = nil, r.fill.isLeft
		return err
	case r.opened.Load():
		return nil
	}
	if err := r.fill.end(); err != nil {
		return err
	}
	return r.fill.verdict(r.failed)
}

// Next costs no hop while rows are there.
func (r *rows) Next(dest []driver.Value) error {
	for {
		b := r.current
		sealed := b.sealed.Load() // before n: nothing is added after the seal
		n := int(b.n.Load())
		switch {
		case r.taken < n:
			if sealed && r.ahead == nil && b.err == nil && r.mayReadAhead() {
				r.refill()
			}
			copy(dest, b.row(r.taken))
			r.taken++
			return nil
		case !sealed:
			r.awaitRow(b)
		case b.err != nil:
			r.told = true
			if r.lost { // the call is the thread's, and b.err is its verdict
				return r.tell(b.err)
			}
			return r.tell(r.fill.verdict(b.err))
		default:
			if r.ahead == nil {
				r.refill()
			}
			r.before += r.taken
			r.current, r.taken, r.ahead = r.ahead, 0, nil
		}
	}
}

// mayReadAhead returns false for the first row of a result: many callers want only
// one.
func (r *rows) mayReadAhead() bool {
	return !r.lazy && !r.strict && (r.taken > 0 || r.fills > 1)
}

// refill begins the next fill, into the batch that the caller is not taking from. The
// last batch is sealed, so its fill is about to end.
func (r *rows) refill() {
	b := &r.batches[0]
	if b == r.current {
		b = &r.batches[1]
	}
	b.reset()
	r.ahead = b
	first := r.fills == 1
	r.fills++
	if err := r.settleFill(); err != nil {
		b.seal(err)
		return
	}
	if r.strict {
		r.strict = r.c.opts.Rows == 1 || first || r.described != nil
		r.described = nil
	}
	r.step, r.into = readOn, b
	if err := r.fill.begin(r.fill.ctx, r.c, r); err != nil {
		b.seal(err)
	}
}

// awaitRow waits until b has a row that was not taken yet, or is sealed.
func (r *rows) awaitRow(b *batch) {
	err := r.fill.await(func() bool { return int(b.n.Load()) > r.taken || b.sealed.Load() })
	if err == nil && r.fill.task != nil && r.fill.task.Over() && !b.sealed.Load() && int(b.n.Load()) == r.taken {
		b.seal(io.ErrUnexpectedEOF)
		r.told = true
		err = r.settleFill() // raises the panic that kept b from being sealed
	}
	if err != nil {
		r.fill.task = nil
		r.abandon(err)
	}
}

// abandon makes Next fail with err. A fill that was left goes on using the batches, so
// the caller gets one of its own. If the fill was withdrawn, Close still has to close
// the inner rows.
func (r *rows) abandon(err error) {
	r.lost, r.shared = r.fill.isLeft, true
	r.before += r.taken
	b := sealedBatch(err)
	r.current, r.taken, r.ahead = b, 0, b
}

// settleFill waits for the end of the last fill and gives its task back.
func (r *rows) settleFill() error {
	if r.fill.task == nil {
		return nil
	}
	if err := r.fill.await(nil); err != nil {
		r.fill.task = nil
		r.abandon(err)
		return err
	}
	return r.fill.end()
}

// HasNextResultSet is called after Next has returned io.EOF. The worker has asked the
// inner rows by then.
func (r *rows) HasNextResultSet() bool { return r.more }

func (r *rows) NextResultSet() error {
	if err := r.settleFill(); err != nil {
		return err
	}
	if _, ok := r.inner.Inner().(driver.RowsNextResultSet); !ok || r.inner.Gone() || r.quiet {
		return io.EOF
	}
	return r.tell(r.start(r.fill.ctx, openNextSet))
}

// tell has the call's trace know an error that the caller gets.
func (r *rows) tell(err error) error {
	if err != io.EOF {
		r.fill.trace.Fail(err)
	}
	return err
}
