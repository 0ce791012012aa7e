package face

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// rows is the shim of one inner Rows. The worker reads ahead of the caller, a
// batch at a time, and shows each row as soon as it has it:
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
	closed    bool
	told      bool // Next has returned the error that ended the rows
	stopped   bool // Close has had the fill stopped
	readsOnly bool // stopping the query costs only its rows
	lost      bool // a fill was left: the thread closes the rows

	// The caller's between fills, the worker's during them.
	request pinned.Request
	step    step   // what the next fill has to do first
	into    *batch // the batch that it fills

	// The worker's, during a fill. The caller reads them after opened, a
	// batch's seal or the end of the fill has shown them.
	skipped bool         // shown by the fill's end: a statement made for the request returned ErrSkip
	more    bool         // shown by a seal with io.EOF: there is another result set
	lazy    bool         // shown by a row: read no further ahead of the caller
	quiet   bool         // shown by the fill's end: inner will be closed before a later call
	size    int          // rows of the last fill
	inner   *pinned.Rows // never nil
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

var (
	_ driver.Rows              = (*rows)(nil)
	_ driver.RowsNextResultSet = (*rows)(nil)
)

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
	return r, nil
}

func newRows(c *conn) *rows {
	r := &rows{c: c, inner: new(pinned.Rows)}
	for i := range r.batches {
		r.batches[i].mark = &r.marks[i]
	}
	r.fill.call.Orphan = r.orphan
	return r
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

func (r *rows) Columns() []string { return r.cols }

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
	return !r.lazy && r.c.opts.Rows > 1 && (r.taken > 0 || r.fills > 1)
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
	r.fills++
	if err := r.settleFill(); err != nil {
		b.seal(err)
		return
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
	r.lost = r.fill.isLeft
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

// Close ends the fill under way and closes the inner rows. It costs no hop if the
// worker has met the end of the rows.
//
// The fill may be in a step that takes long. If the query only reads, the fill is
// stopped. Otherwise Close waits for it until the context ends: stopping a write can
// cost the whole transaction. Close returns the error of a write that reading ahead
// has met.
func (r *rows) Close() (err error) {
	if r.closed {
		return nil
	}
	r.closed = true
	if trace := r.fill.trace; trace != nil {
		defer func() {
			if err == nil && !r.told { // database/sql closes rows when their context ends
				trace.Fail(r.fill.ctx.Err())
			}
			trace.Rows(int64(r.before + r.taken))
			trace.End(err)
		}()
	}
	r.inner.Unwanted.Store(true)
	err = r.endFill()
	switch {
	case r.lost && !r.told && r.writes():
		return pinned.Unknown(r.fill.ctx.Err())
	case r.lost:
		return nil
	case err != nil, r.c.closed:
		return err
	}
	defer r.drop()
	failed := r.untold()
	switch {
	case r.inner.Gone():
		err = r.inner.Close() // the error of closing them, once more
	case !r.quiet:
		err = r.finish()
	}
	switch {
	case err == nil:
		return failed
	case r.stopped && !r.writes() && r.isStop(err):
		return nil
	}
	return r.fill.verdict(err)
}

// isStop reports whether err comes from stopping the fill.
func (r *rows) isStop(err error) bool { return errors.Is(r.fill.verdict(err), r.fill.call.Stopped()) }

// writes reports whether the rows are those of a write, as far as the text tells.
func (r *rows) writes() bool {
	return r.fill.writes && sqltext.MayChange(r.request.Query, r.c.pc.Dialect())
}

// untold returns the error of a write that reading ahead has met. The bare driver
// would meet it now.
func (r *rows) untold() error {
	if r.told || !r.writes() {
		return nil
	}
	for _, b := range []*batch{r.current, r.ahead} {
		if b != nil && b.sealed.Load() && b.err != nil && b.err != io.EOF {
			return r.fill.verdict(b.err)
		}
	}
	return nil
}

// drop lets go of the rows that were read and not fetched: the connection may refer
// to r for a while.
func (r *rows) drop() {
	for i := range r.batches {
		r.batches[i].values, r.batches[i].arena = nil, nil
	}
	clear(r.space[:])
	r.current, r.ahead = sealedBatch(io.EOF), nil
}

// finish closes the inner rows with a hop. A driver may read them to their end for
// that, and is stopped when their context ends. The watch over the context is set on
// the thread: the hop is never withdrawn, and may begin long after the caller has left.
func (r *rows) finish() error {
	ctx, pc := r.fill.ctx, r.c.pc
	if !pc.Stops() || ctx.Done() == nil {
		return r.c.closingFor(r.fill.trace, r.closeInner)
	}
	cl := &call{closing: true, writes: r.writes()}
	cl.trace = r.fill.trace
	f := &function{fn: func(context.Context) error {
		defer context.AfterFunc(ctx, func() { cl.call.Stop(ctx, pc, ctx.Err()) })()
		return r.closeInner()
	}}
	if err := cl.begin(context.Background(), r.c, f); err != nil {
		return err
	}
	if cl.task != nil && !cl.task.Wait(nil, ctx.Done()) {
		if left, err := pinned.AwaitOutcome(&cl.call, cl.task, nil, ctx.Err()); left {
			return cl.leave(err)
		}
	}
	if err := cl.end(); err != nil {
		return err
	}
	return cl.verdict(f.err)
}

// patience is how long a fill may go on after its rows were closed, before it is
// stopped. Most are about to end. grace is the same for a write's fill after its
// context has ended.
const (
	patience = time.Millisecond
	grace    = 10 * time.Millisecond
)

// endFill waits for the fill under way, and has it stopped if it takes long. It returns
// an error only if the fill has ended its goroutine.
func (r *rows) endFill() error {
	t := r.fill.task
	if t == nil {
		return nil
	}
	defer func() { r.fill.task = nil }()
	if !t.Over() {
		switch r.awaitEnd(t) {
		case withdrawn:
			return nil
		case gone:
			r.lost = true
			return nil
		}
	}
	if err := t.Err(); err != nil && r.inner.Gone() {
		return broken(t.End())
	}
	t.Release()
	return nil
}

// ending is how the wait for a fill has ended.
type ending int

const (
	done      ending = iota
	withdrawn        // it will not begin
	gone             // it was left, and is the thread's
)

// awaitEnd waits for the fill of rows that were closed.
func (r *rows) awaitEnd(t *thread.Task) ending {
	c := r.c
	if !c.pc.Stops() {
		t.Wait(nil, nil)
		return done
	}
	wait := patience
	if !r.readsOnly {
		if t.Wait(nil, r.fill.ctx.Done()) {
			return done
		}
		wait = grace
	}
	late := make(chan struct{})
	timer := time.AfterFunc(wait, func() { close(late) })
	defer timer.Stop()
	if t.Wait(nil, late) {
		return done
	}
	r.stopped = true
	cause := context.Canceled
	if err := r.fill.ctx.Err(); err != nil {
		cause = err
	}
	if r.fill.call.Stop(r.fill.ctx, c.pc, cause) {
		t.Leave()
		return withdrawn
	}
	if left, _ := pinned.AwaitOutcome(&r.fill.call, t, nil, cause); left {
		r.c.leftCall = &r.fill.call
		return gone
	}
	return done
}
