package overlay

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"time"
)

// call is a piece of work on its way through a pool, and the canceller of its
// future. Its phases, each entered once, under mu:
//
//	waiting ──► running ──► over    a lane has done it
//	waiting ──► over                withdrawn, or refused
//	running ──► waiting             the connection was dead; twice, or until it is a new one
//
// Whoever moves it to over settles the future.
type call struct {
	prev, next *call     // the pool's, under its mu
	queued     bool      // likewise
	since      time.Time // likewise: when it was queued

	fut  *core
	pool *pool
	callOptions
	ctx     context.Context // the application's
	work    work
	outer   *call       // the thread's: in which it was made there and then
	unwatch func() bool // ends the watch over ctx; nil: there is none

	mu      sync.Mutex // an interrupt holds it, so that the call cannot end meanwhile
	phase   phase
	lane    *lane              // while it runs
	abort   context.CancelFunc // of the context of what cannot be interrupted; may be nil
	inner   callContext        // that context, of a function
	cause   error              // why it is to stop; nil: it is not
	retries int
	kept    bool // abort is somebody else's now
}

type phase uint8

const (
	waiting phase = iota
	running
	over
)

// work is what a call does, on a lane's thread. It stores its result itself.
type work interface {
	do(ctx context.Context, l *lane) error
}

// kind is how a call that runs can be stopped.
type kind uint8

const (
	statement kind = iota // by an interrupt
	function              // by an interrupt, and its context ends
	firm                  // not at all
)

// callOptions are what some calls need.
type callOptions struct {
	kind   kind
	ended  func() // called when the call is over, before its future settles; may be nil
	queue  bool   // it is queued also on the lane's own thread
	quiet  bool   // nobody will look at the future
	tidy   bool   // it puts something in order: there is always room for it, and only a lane's end keeps it from being made
	closes bool   // the pool refuses calls that come after it
	place  site
}

// internal reports whether the overlay itself makes the call: it takes no place in
// the queue from the application's.
func (o *callOptions) internal() bool { return o.tidy || o.queue }

// task is a future together with its call: one allocation.
type task[T any] struct {
	Future[T]
	call
	fn func(ctx context.Context, l *lane) (T, error)
}

func (t *task[T]) do(ctx context.Context, l *lane) (err error) {
	t.value, err = t.fn(ctx, l)
	return err
}

// send makes a call on a target and returns its future.
func send[T any](ctx context.Context, to Target, k kind, fn func(ctx context.Context, l *lane) (T, error)) *Future[T] {
	p, _, _ := to.target()
	return sendFrom(ctx, to, k, caller(p.config), fn)
}

// sendFrom is send for those who know their place already.
func sendFrom[T any](ctx context.Context, to Target, k kind, place site, fn func(ctx context.Context, l *lane) (T, error)) *Future[T] {
	p, s, err := to.target()
	o := callOptions{kind: k, place: place}
	ctx.Err() // a nil context panics here, before anything has counted the call
	if err == nil && s != nil {
		o.ended, err = s.enter()
	}
	if err != nil {
		var zero T
		return completed(p.config, zero, err)
	}
	return start(ctx, p, o, fn)
}

// start gives fn to the pool and returns its future. On the thread of the only lane
// that could run it, it is run at once.
func start[T any](ctx context.Context, p *pool, o callOptions, fn func(ctx context.Context, l *lane) (T, error)) *Future[T] {
	t := &task[T]{fn: fn}
	f := &t.Future
	f.origin, f.cancel, f.place, f.quiet = p.config, &t.call, o.place, o.quiet
	t.fut, t.pool, t.callOptions, t.ctx, t.work = &f.core, p, o, ctx, t
	if err := ctx.Err(); err != nil {
		t.refuse(err)
		return f
	}
	if ctx.Done() != nil {
		t.watchContext()
	}
	if l := p.own(); l != nil && !o.queue {
		l.run(&t.call)
		return f
	}
	if err := p.submit(&t.call); err != nil {
		t.refuse(err)
	}
	return f
}

func (c *call) watchContext() {
	unwatch := context.AfterFunc(c.ctx, func() { c.stop(c.ctx.Err()) })
	c.mu.Lock()
	done := c.phase == over
	c.unwatch = unwatch
	c.mu.Unlock()
	if done {
		unwatch()
	}
}

// refuse ends a call that has not begun.
func (c *call) refuse(err error) bool {
	c.mu.Lock()
	if c.phase != waiting {
		c.mu.Unlock()
		return false
	}
	c.refuseLocked(err)
	return true
}

// refuseLocked ends a call that waits. It needs mu, and unlocks it.
func (c *call) refuseLocked(err error) {
	c.phase = over
	unwatch := c.unwatch
	c.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
	c.finish(err)
}

// stop withdraws a call that waits and has one that runs interrupted.
func (c *call) stop(cause error) {
	c.mu.Lock()
	if c.phase == waiting && !c.tidy {
		c.refuseLocked(cause)
		c.pool.remove(c)
		return
	}
	defer c.mu.Unlock()
	if c.phase != running || c.cause != nil || c.kind == firm {
		return
	}
	c.cause = cause
	c.endContext()
	if c.lane.h.CanInterrupt() {
		go c.interrupt()
	}
}

// interrupt asks the database to stop, again and again: the call may be between
// two statements.
func (c *call) interrupt() {
	for {
		c.mu.Lock()
		if c.phase == over {
			c.mu.Unlock()
			return
		}
		c.lane.h.Interrupt(c.ctx)
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
}

// begin reports whether the call is to be run, and with which context.
func (c *call) begin(l *lane) (context.Context, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != waiting {
		return nil, false
	}
	c.phase, c.lane = running, l
	ctx := c.ctx
	switch {
	case c.kind == firm:
		ctx = context.WithoutCancel(ctx)
	case !l.h.CanInterrupt():
		if c.kind == statement && c.unwatch != nil { // stop ends it, and rows may outlive ctx
			ctx = context.WithoutCancel(ctx)
		}
		ctx, c.abort = context.WithCancel(ctx)
	case c.kind == function:
		c.inner.outer = c.ctx
		ctx = &c.inner
	case ctx.Done() != nil:
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, true
}

// endContext ends the context that the work has got. It needs mu.
func (c *call) endContext() {
	if c.abort != nil {
		c.abort()
		c.abort = nil
	}
	if c.inner.outer != nil {
		c.inner.stop()
	}
}

// again makes a call wait once more, and reports whether it does. reused says that
// the connection was not new: the next one may have died in the pool as well.
func (c *call) again(reused bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil || c.retries >= 2 && !reused {
		return false
	}
	c.retries++
	c.phase, c.lane = waiting, nil
	c.endContext()
	return true
}

// end ends a call that has run. An error that comes of its interrupt is
// replaced by what it was interrupted for.
func (c *call) end(err error) {
	c.mu.Lock()
	c.phase = over
	cause, unwatch, h := c.cause, c.unwatch, c.lane.h
	if !c.kept {
		c.endContext()
	}
	c.mu.Unlock()
	if cause != nil && h.CanInterrupt() {
		c.lane.dropSources()
	}
	if unwatch != nil {
		unwatch()
	}
	if cause != nil && err != nil && (h.Interrupted(err) || errors.Is(err, context.Canceled)) {
		err = cause
	}
	c.finish(err)
}

func (c *call) finish(err error) {
	if c.ended != nil {
		c.ended()
	}
	c.fut.settle(err)
}

// keepContext leaves the context of a call that runs to what it has opened, to
// be ended with that.
func (c *call) keepContext() context.CancelFunc {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept = true
	return c.abort
}

// stopped reports why a call that runs is to stop.
func (c *call) stopped() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// watch is canceller's.
func (c *call) watch(f *core, stop <-chan struct{}) bool {
	w := c.pool.hot.Load()
	return w != nil && c.pool.wakeups.watch(w, f, stop)
}

// stuck is canceller's.
func (c *call) stuck() (release func(), stuck bool) {
	c.mu.Lock()
	l := c.lane
	c.mu.Unlock()
	if l != nil { // a lane has it; it could be this one, in the middle of the call
		return nil, l.w.OnThread()
	}
	return c.pool.block()
}

var errBad = driver.ErrBadConn

// isBad reports whether the connection is of no more use.
func isBad(err error) bool { return errors.Is(err, driver.ErrBadConn) }
