package driver

import (
	"context"
	"database/sql/driver"
	"io"
	"sync/atomic"
	"time"
)

// rows is the shim of one inner Rows. The worker reads ahead of the caller, a
// batch at a time, and shows each row as soon as it has it:
//
//	caller                                      worker
//	query ─────────────────── first fill ─────► opened, row, row, …, seal
//	Next, Next: takes rows ── second fill ────► row, row, …, seal
//
// There are two batches; the worker fills one while the caller takes from the
// other, and at most one fill is under way.
type rows struct {
	c    *conn
	fill call // the last fill begun

	// The caller's.
	current   *batch       // rows are taken from here
	taken     int          // how many
	ahead     *batch       // begun or filled after current; nil: nothing is
	fills     int          // begun in this result set
	described []columnType // types, once the caller has asked for them
	closed    bool
	abandon   bool // the query only reads: see Close

	// The caller's between fills, the worker's during them.
	request request
	step    step   // what the next fill has to do first
	into    *batch // where it reads rows to

	// The worker's, during a fill. The caller reads them after opened, a
	// batch's seal or the end of the fill has shown them.
	skipped bool // shown by the fill's end: a statement made for the request returned ErrSkip
	more    bool // shown by a seal with io.EOF: there is another result set
	lazy    bool // shown by a row: don't read ahead of the caller any more
	gone    bool // shown by the fill's end: inner is closed
	quiet   bool // shown by the fill's end: inner will be closed by conn.settle
	size    int  // rows of the last fill
	inner   driver.Rows
	cols    []string // shown by opened

	_       line        // the caller polls these
	opened  atomic.Bool // set by the worker
	stop    atomic.Bool // set by the caller: read no further, close
	_       line
	batches [2]batch
	space   [16]driver.Value // the first batch's, if it fits

	stmt    driver.Stmt  // to be closed with inner; nil if inner stands alone
	failed  error        // shown by the fill's end: the result set was not opened
	nested  []*rows      // rows that were values of these
	types   []columnType // what describe found
	closing error        // shown with gone: what closing inner returned
}

var (
	_ driver.Rows              = (*rows)(nil)
	_ driver.RowsNextResultSet = (*rows)(nil)
)

type step int

const (
	openQuery step = iota
	openNextSet
	readOn
)

// QueryContext queries in one hop, which brings the columns and the first rows
// along, also where the inner connection needs a statement for it.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, request{query: query, args: args})
}

// query returns when the query has columns or has failed; the first rows
// follow in the same hop.
func (c *conn) query(ctx context.Context, q request) (driver.Rows, error) {
	if err := c.ended(); err != nil {
		return nil, err
	}
	if c.guarded(ctx) {
		after, err := c.guard(ctx, q.query)
		if err != nil {
			return nil, err
		}
		if after != nil {
			defer after()
		}
	}
	r := &rows{c: c, request: q}
	if a, ok := c.link.intr.(Reader); ok {
		r.abandon = a.ReadsOnly(q.query)
	}
	err := r.start(ctx, openQuery)
	if r.skipped {
		c.skip = true
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// start opens a result set: the query's first, or the next one.
func (r *rows) start(ctx context.Context, s step) error {
	b := &r.batches[0]
	b.reset()
	r.current, r.taken, r.ahead, r.fills, r.described = b, 0, nil, 1, nil
	r.opened.Store(false)
	r.step, r.into = s, b
	err := r.fill.begin(ctx, r.c, r)
	if err == nil {
		err = r.fill.await(r.opened.Load)
	}
	switch {
	case err != nil:
		r.fill.task = nil
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
			return r.fill.verdict(b.err)
		default:
			if r.ahead == nil {
				r.refill()
			}
			r.current, r.taken, r.ahead = r.ahead, 0, nil
		}
	}
}

// mayReadAhead says no for the first row of a result: many callers want but
// one.
func (r *rows) mayReadAhead() bool {
	return !r.lazy && r.c.opts.rows > 1 && (r.taken > 0 || r.fills > 1)
}

// refill begins the next fill, into the batch that the caller is not taking
// from. That the last one is sealed means that it is as good as over.
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

// awaitRow waits until b has a row that was not taken, or is sealed.
func (r *rows) awaitRow(b *batch) {
	err := r.fill.await(func() bool { return int(b.n.Load()) > r.taken || b.sealed.Load() })
	if err == nil && r.fill.task.Over() && !b.sealed.Load() && int(b.n.Load()) == r.taken {
		b.seal(io.ErrUnexpectedEOF)
		err = r.settleFill() // raises the panic that kept b from being sealed
	}
	if err != nil {
		r.fill.task = nil
		b.seal(err)
	}
}

// settleFill waits for the end of the last fill and gives its task back.
func (r *rows) settleFill() error {
	t := r.fill.task
	if t == nil {
		return nil
	}
	if err := t.Await(context.Background(), nil, nil); err != nil {
		return err
	}
	return r.fill.end()
}

// HasNextResultSet is asked after Next has returned io.EOF; the worker has
// asked the inner rows then.
func (r *rows) HasNextResultSet() bool { return r.more }

func (r *rows) NextResultSet() error {
	if err := r.settleFill(); err != nil {
		return err
	}
	if _, ok := r.inner.(driver.RowsNextResultSet); !ok || r.gone || r.quiet {
		return io.EOF
	}
	return r.start(r.fill.ctx, openNextSet)
}

// Close stops the fill under way and closes the inner rows. After the worker
// has met the end of the rows that costs no hop.
//
// A fill that nobody waits for any more may be in the middle of a step that
// takes its time. It is interrupted if the query only reads. Others are
// waited for, unless their context ends too, and even then for a while: an
// interrupted write can cost the whole transaction.
func (r *rows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.stop.Store(true)
	r.endFill()
	switch {
	case r.gone:
		return r.closing
	case r.quiet, r.c.closed:
		return nil
	}
	return r.finish()
}

// finish closes the inner rows with a hop. A driver whose rows have to be read
// to their end for that is interrupted when their context ends, if an interrupt
// costs no more than the rows.
func (r *rows) finish() error {
	ctx := context.Background()
	if _, picky := r.c.link.intr.(Reader); r.c.link.intr != nil && !picky {
		ctx = r.fill.ctx
	}
	if ctx.Done() == nil || r.c.occupied.Load() {
		return r.c.closing(r.closeInner)
	}
	cl := call{closing: true}
	var started atomic.Bool
	f := function{fn: func(context.Context) error {
		started.Store(true)
		cl.task.Signal()
		return r.closeInner()
	}}
	if err := cl.begin(context.Background(), r.c, &f); err != nil {
		return err
	}
	cl.await(started.Load) // once it has started the context cannot withdraw it
	cl.task.Await(ctx, nil, cl.interrupt)
	if err := cl.task.End(); err != nil {
		return broken(err)
	}
	if cl.interrupted.Load() && r.c.link.intr.Interrupted(f.err) {
		return ctx.Err()
	}
	return f.err
}

// endFill waits for the fill under way. What it failed with concerns nobody,
// unless it was closing the inner rows.
func (r *rows) endFill() {
	t := r.fill.task
	if t == nil {
		return
	}
	defer func() { r.fill.task = nil }()
	if !t.Over() {
		ctx, stop := r.enough()
		defer stop()
		var interrupt func()
		if r.c.link.intr != nil {
			interrupt = r.fill.interrupt
			if ctx == ended {
				// Most fills are as good as over: the first time is let pass,
				// and a millisecond goes by before the next.
				waited := false
				interrupt = func() {
					if waited {
						r.fill.interrupt()
					}
					waited = true
				}
			}
		}
		if t.Await(ctx, nil, interrupt) != nil {
			return // withdrawn: the worker gives the task back
		}
	}
	if r.gone && t.Err() != nil {
		r.closing = broken(t.End())
		return
	}
	t.Release()
}

// ended is a context that has ended.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// grace is how long a fill that nobody waits for may go on after its context
// has ended, if an interrupt may cost more than the fill.
const grace = 10 * time.Millisecond

// enough returns a context that ends when the fill under way is to be
// interrupted. With other rows open an interrupt could reach them, for a
// database may stop all that its connection has begun.
func (r *rows) enough() (ctx context.Context, stop func()) {
	intr := r.c.link.intr
	if intr == nil {
		return context.Background(), func() {}
	}
	if _, ok := intr.(Reader); !ok {
		return r.fill.ctx, func() {}
	}
	if r.abandon && r.c.open.Load() == 1 {
		return ended, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	unwatch := context.AfterFunc(r.fill.ctx, func() { time.AfterFunc(grace, cancel) })
	return ctx, func() { unwatch(); cancel() }
}
