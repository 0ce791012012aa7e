package overlay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A call is a piece of work on its way through a queue to a lane, and the
// canceller of its future. Its phase moves like this, each time by one
// compare-and-swap, and whoever moves it to over settles the future:
//
//	waiting -> running   a lane has taken it, or takes it back (waitAgain)
//	waiting -> over      withdrawn, refused, or claimed: it is done without a lane
//	running -> over      the lane has done it, or its waiters have left: then
//	                     nobody gets what the lane still does
//	running -> waiting   it has done nothing, and is to be done elsewhere: the connection
//	                     was dead, or only reads (waitAgain)
//
// Only the first stop counts, so it must not be missed: it withdraws a call that it finds
// waiting, and leaves one that it finds running to whoever ends the run. Whoever makes
// that one wait again therefore looks for a stop afterwards, and before anybody can take it.
type call struct {
	link                 // the queue's, under its mutex
	since  time.Time     // likewise: when it was made
	waited time.Duration // likewise: for its lane

	fut *core
	q   *queue                // whose future it is
	at  atomic.Pointer[queue] // where it waits, if that is another
	callOptions
	ctx     context.Context // the application's
	work    work
	unwatch func() bool // ends the watch over ctx; nil: there is none

	phase   atomic.Uint32
	failed  bool                 // the thread's: its work has returned an error
	lane    atomic.Pointer[lane] // set before running
	pinned  pinned.Call          // used while running
	cause   atomic.Pointer[error]
	inner   *callContext    // the thread's: what a function gets; nil: another kind of call
	given   context.Context // the thread's: for a driver that watches contexts itself; nil: none was made
	drop    func()          // the thread's: ends given; nil if that is
	outer   *call           // the thread's: the call that this one is made inside of; nil: none
	retries int             // the lane's
}

const (
	waiting uint32 = iota
	running
	over
)

// work is what a call does, on a lane's thread. It stores its result itself.
type work interface {
	do(ctx context.Context, l *lane) error
}

// kind says what becomes of a call that is to stop.
type kind uint8

const (
	read     kind = iota // the database stops it, and nothing is lost
	write                // likewise; if its outcome is unknown, the error says so
	function             // like write, and the function's context ends
	ending               // a COMMIT or ROLLBACK: it is not stopped
)

// callOptions are what some calls need.
type callOptions struct {
	kind   kind
	op     pinned.Op   // what a tracer is told of; 0: of nothing, or of the call that this one is part of
	goesOn bool        // if it succeeds, its trace goes on
	ended  func()      // called when the call is over, before its future settles; may be nil
	undo   func(*lane) // called on the thread after the work if nobody waits for it any longer, and for an ending call also if it was withdrawn; may be nil
	quiet  bool        // nobody will look at the future
	tidy   bool        // it puts something in order: there is always room for it, and it is not withdrawn
	queued bool        // it waits for its turn even if it is made on the thread
	part   bool        // of a write that may be carried out, whatever becomes of the call
	closes bool        // the queue refuses calls that come after it
	begins bool        // it begins a transaction
	writes bool        // it is the writer's if there is one, as a call of kind write is
	groups bool        // it may be committed together with others'
	plain  bool        // a write that only executes a text: its error is that of SQLite's statement
	// repeatable: a function that returns ErrBadConn only if nothing was done, as the
	// other kinds do. It may be made again on another connection.
	repeatable bool
	abort      func()        // stops the call if the driver watches contexts itself; nil: the end of its own context does
	statement  bool          // describe is one
	scope      *scope        // the transaction scope that it is part of; nil: none
	request    *request      // what describe is the statement of; nil: it is another one, or none
	trace      *pinned.Trace // its own if op is set; nil: none
	tx         *pinned.Tx    // what an ending call commits or rolls back; nil: something else
	place      site
	describe   string // the statement, or what else it is
}

// roomy reports whether there is always room for the call: it ends something.
func (o *callOptions) roomy() bool { return o.tidy || o.kind == ending }

// task is a future together with its call: one allocation.
type task[T any] struct {
	Future[T]
	call
	fn   func(ctx context.Context, l *lane) (T, error)
	made T // what fn has returned, until the call is over
}

func (t *task[T]) do(ctx context.Context, l *lane) (err error) {
	t.made, err = t.fn(ctx, l)
	return err
}

// publish makes what fn has returned the future's value.
func (t *task[T]) publish() { t.value = t.made }

// send makes a call on a target and returns its future.
func send[T any](ctx context.Context, to Target, o callOptions, fn func(ctx context.Context, l *lane) (T, error)) *Future[T] {
	q, s, err := to.target()
	if o.place.IsZero() {
		o.place = caller(q.config)
	}
	ctx.Err() // a nil context panics here, before anything has counted the call
	switch {
	case err != nil:
	case s != nil:
		err = s.enter(&o)
	case q.leases != nil:
		if w := q.writer; w != nil && w.takes(&o) {
			q = w.queue
			if err = w.wouldDeadlock(ctx); err != nil {
				break
			}
		}
		o.ended, err = q.leases.enterScope(ctx)
	}
	if err != nil {
		var zero T
		f := completed(q.config, zero, err)
		if f.unseen != nil && o.statement {
			f.unseen.statement = o.describe
		}
		o.trace.End(err)
		return f
	}
	if q.config.tracers != nil {
		ctx = o.traced(ctx, q.config)
	}
	return start(ctx, q, o, fn)
}

// start gives fn to the queue and returns its future. On the thread of the only
// lane that could run it, it is run at once.
func start[T any](ctx context.Context, q *queue, o callOptions, fn func(ctx context.Context, l *lane) (T, error)) *Future[T] {
	t := &task[T]{fn: fn}
	f := &t.Future
	f.origin, f.cancel, f.place, f.quiet = q.config, &t.call, o.place, o.quiet
	t.fut, t.q, t.callOptions, t.ctx, t.work = &f.core, q, o, ctx, t
	if o.trace != nil && (o.op != 0 || o.goesOn) { // otherwise it is part of another call
		o.trace.Hop(&t.pinned)
	}
	f.publish = t
	if o.scope != nil {
		o.scope.enter(&f.core)
	}
	if err := ctx.Err(); err != nil && !o.roomy() {
		t.refuse(err)
		return f
	}
	if ctx.Done() != nil && !o.tidy {
		t.unwatch = context.AfterFunc(ctx, func() { t.stop(ctx.Err()) })
	}
	if l := q.own(); l != nil && !o.closes && !o.queued {
		l.runNested(&t.call)
		return f
	}
	if err := q.submit(&t.call); err != nil {
		t.refuse(err)
	}
	return f
}

// refuse ends a call that has not begun, and reports whether it did.
func (c *call) refuse(err error) bool {
	if !c.phase.CompareAndSwap(waiting, over) {
		return false
	}
	c.finish(c.unmade(err))
	return true
}

// claim takes a call that waits from its lane. Whoever claims it finishes it.
func (c *call) claim() bool { return c.phase.CompareAndSwap(waiting, over) }

// stop withdraws a call that waits, and has one that runs stopped. It does not block.
// A call that runs is left if it has not ended pinned.Grace later.
func (c *call) stop(cause error) {
	if !c.cause.CompareAndSwap(nil, &cause) {
		return
	}
	for {
		switch c.phase.Load() {
		case over:
			return
		case waiting:
			if c.tidy {
				return
			}
			if c.phase.CompareAndSwap(waiting, over) {
				if c.kind == ending { // in its turn, the transaction is rolled back
					c.queue().withdrew()
				} else {
					c.queue().remove(c)
				}
				c.withdraw(cause)
				return
			}
		case running:
			if c.kind == ending {
				c.pinned.StopBegun(c.ctx, c.lane.Load().pc, cause)
			} else if c.pinned.Stop(c.ctx, c.lane.Load().pc, cause) && c.phase.CompareAndSwap(running, over) {
				c.queue().unbegun() // the thread was still busy with what came before
				c.withdraw(cause)
				return
			}
			if c.phase.Load() == running {
				time.AfterFunc(pinned.Grace, c.leave)
				return
			}
		}
	}
}

// leave ends a call that was to stop and has not ended. The thread goes on with it.
// Unless it only reads, its outcome is unknown.
func (c *call) leave() {
	if !c.phase.CompareAndSwap(running, over) {
		return
	}
	c.pinned.Leave()
	if c.kind == ending {
		c.lane.Load().pc.HangUp()
	}
	err := *c.cause.Load()
	if c.mayWrite() {
		err = pinned.Unknown(err)
	}
	c.finish(err)
}

// stopped returns why the call is to stop; nil if it is not.
func (c *call) stopped() error {
	if p := c.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// begin reports whether the lane is to run the call. A call whose context has ended is
// withdrawn, even if the watch over the context has not done so yet.
func (c *call) begin(l *lane) bool {
	if c.phase.Load() != waiting {
		return false
	}
	if !c.tidy && c.unwatch != nil {
		if err := c.ctx.Err(); err != nil {
			if c.phase.CompareAndSwap(waiting, over) {
				c.queue().withdrew()
				c.withdraw(err)
			}
			return false
		}
	}
	c.lane.Store(l)
	c.pinned.Reset()
	if !c.phase.CompareAndSwap(waiting, running) {
		return false
	}
	switch { // a stop finds that the connection has not begun it
	case c.kind == function:
		c.makeContext(l)
	case l.pc.Stops() || c.kind == ending:
	case c.abort != nil:
		c.pinned.SetAbort(c.abort)
	default:
		c.given, c.drop = context.WithCancel(c.ctx)
		c.pinned.SetAbort(c.drop)
	}
	return true
}

// makeContext makes a function's context, which ends when the call is stopped.
func (c *call) makeContext(l *lane) {
	c.inner = &callContext{outer: c.ctx, pc: l.pc}
	c.pinned.SetAbort(c.inner.stop)
}

// release ends the contexts that were made for the work. The application's context,
// which they belong to, may go on for long. It runs on the thread after the work.
func (c *call) release() {
	if c.inner != nil {
		c.inner.stop()
	}
	if c.drop != nil {
		c.drop()
	}
}

// again makes a call wait again that has done nothing because the connection was dead.
// reused says that the connection was not new. The next one may have died in the pool
// as well.
func (c *call) again(reused bool) bool {
	if c.retries >= 2 && !reused {
		return false
	}
	c.retries++
	return c.waitAgain()
}

// waitAgain makes a call that runs wait. It reports false if the call is to stop, and
// still runs, or has been left.
func (c *call) waitAgain() bool {
	if !c.phase.CompareAndSwap(running, waiting) {
		return false
	}
	return c.stopped() == nil || !c.phase.CompareAndSwap(waiting, running)
}

// end ends a call that the lane has done. It reports false if nobody waits for
// it any longer. If away says so, a goroutine of their own calls its callbacks.
func (c *call) end(err error, away bool) bool {
	if !c.phase.CompareAndSwap(running, over) {
		return false
	}
	c.fut.publish.publish()
	if c.trace != nil {
		c.trace.Ran(&c.pinned)
	}
	c.conclude(err, away)
	return true
}

func (c *call) finish(err error) { c.conclude(err, false) }

// withdraw is finish for whoever stops a call, who does not wait for its callbacks.
func (c *call) withdraw(cause error) { c.conclude(c.unmade(cause), true) }

func (c *call) conclude(err error, away bool) {
	// Once ctx has ended there is nothing to unwatch, and start may still be
	// about to set it.
	if c.ctx.Err() == nil && c.unwatch != nil {
		c.unwatch()
	}
	if c.ended != nil {
		c.ended()
	}
	if c.scope != nil {
		c.scope.leave(c.fut, err)
	}
	if err != nil && c.tx != nil && c.tx.Ended() && !errors.Is(err, ErrTxEnded) { // whatever has kept the call from being made
		err = fmt.Errorf("%w (%w)", err, ErrTxEnded)
	}
	if c.trace != nil && c.op != 0 && !(c.goesOn && err == nil) {
		defer c.settle(err, away) // even if a tracer ends the goroutine
		c.trace.End(err)
		return
	}
	c.settle(err, away)
}

// settle completes the call's future. If away says so, a goroutine of their own calls
// its functions.
func (c *call) settle(err error, away bool) {
	switch tell := c.fut.complete(err); {
	case tell && away:
		go c.fut.tellAll()
	case tell:
		c.fut.tellAll()
	}
}

// ends is canceller's.
func (c *call) ends() bool { return c.stopped() != nil || c.ctx.Err() != nil }

// watch is canceller's.
func (c *call) watch(f *core, stop <-chan struct{}) bool {
	w := c.q.hot.Load()
	return w != nil && c.q.wakeups.watch(w, f, stop)
}

// stuck is canceller's.
func (c *call) stuck() (release func(), stuck bool) {
	if c.phase.Load() == running { // a lane has it; it could be this one, in the middle of the call
		return nil, c.lane.Load().pc.OnThread()
	}
	return c.queue().block()
}

// queue returns the queue that the call waits in.
func (c *call) queue() *queue {
	if q := c.at.Load(); q != nil {
		return q
	}
	return c.q
}

// background is the context of calls that nothing may stop.
var background = context.Background()
