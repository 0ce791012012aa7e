package pinned

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A Call is one call of a connection. Its zero value waits. Run carries it out
// on the thread; anybody may Stop it, and whoever waits for it may Leave it.
// Its state is a set of bits, and this is how it moves:
//
//	0 (waiting)            -> begun (the thread), left (Leave), over (Stop: it never begins)
//	left                   -> left|begun (the thread)
//	begun                  -> begun|stopping (Stop), |left (Leave), |over (the thread)
//	begun|stopping         -> |left (Leave), |over (the thread)
//	over                   is the end: nothing of the call happens after it
type Call struct {
	// Orphan, if not nil, is called on the thread after the work if the waiter
	// has left: it closes what the work has opened for it. Set before Run.
	Orphan func()

	state atomic.Uint32
	stop  atomic.Pointer[stopping] // set by the first Stop
	abort atomic.Pointer[func()]
	wait  atomic.Pointer[stopWait] // that the thread is in; nil: none
	hit   error                    // the thread's: the database's answer to the stop; nil: none yet
	// several is the thread's: a text of several statements, or a CALL, has failed.
	// What was done before the failure may have been kept.
	several bool
	opens   bool  // it opens the connection: the thread may be about to set the interrupter
	outer   *Call // the thread's: the call that this one is made inside of; nil: none
}

const (
	begun = 1 << iota
	stoppingBit
	left
	over
)

// stopping is the attempt to stop a call.
type stopping struct {
	cause error
	ctx   context.Context    // ends when the call is over, and what it left is closed
	end   context.CancelFunc // called by the thread at the call's end
	done  chan struct{}      // closed when nothing more will come of the attempt
}

// Stop withdraws a call that waits, and has a call that runs stopped. It does not
// block. It reports whether the call was withdrawn, and so never begins. Only the
// first Stop of a call counts.
func (cl *Call) Stop(ctx context.Context, c *Conn, cause error) (withdrawn bool) {
	return cl.stopWith(ctx, c, cause)
}

// StopBegun is Stop for a call that must not be withdrawn. It does nothing to one
// that waits.
func (cl *Call) StopBegun(ctx context.Context, c *Conn, cause error) {
	if cl.state.Load() != 0 {
		cl.stopWith(ctx, c, cause)
	}
}

func (cl *Call) stopWith(ctx context.Context, c *Conn, cause error) (withdrawn bool) {
	s := &stopping{cause: cause, done: make(chan struct{})}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if !cl.stop.CompareAndSwap(nil, s) {
		s.end()
		return false
	}
	if cl.state.CompareAndSwap(0, over) {
		s.end()
		close(s.done)
		return true
	}
	for {
		was := cl.state.Load()
		if was&over != 0 {
			s.end()
			close(s.done)
			return false
		}
		if cl.state.CompareAndSwap(was, was|stoppingBit) {
			break
		}
	}
	if abort := cl.abort.Load(); abort != nil {
		(*abort)()
	}
	if w := cl.wait.Load(); w != nil {
		w.end()
	}
	if cl.opens || c.intr == nil {
		close(s.done)
		return false
	}
	go c.insist(cl, s)
	return false
}

// Leave gives up waiting for a call. It reports false if the call is over, and its
// result is there. A call that has not begun is still made.
func (cl *Call) Leave() bool {
	for {
		was := cl.state.Load()
		if was&over != 0 {
			return false
		}
		if cl.state.CompareAndSwap(was, was|left) {
			return true
		}
	}
}

// Left reports whether the call was left.
func (cl *Call) Left() bool { return cl.state.Load()&left != 0 }

// Over reports whether the thread is done with the call.
func (cl *Call) Over() bool { return cl.state.Load()&over != 0 }

// Stopped returns why the call was asked to stop; nil if it was not.
func (cl *Call) Stopped() error {
	if s := cl.stop.Load(); s != nil {
		return s.cause
	}
	return nil
}

// SetAbort sets what is called once when a begun call is stopped. It ends the context
// that the work has got. It must be set before Run.
func (cl *Call) SetAbort(fn func()) { cl.abort.Store(&fn) }

// Reset makes a call that is over, or was never given to Run, wait again. Nobody else
// may use the call, except for a late Stop of its last use.
func (cl *Call) Reset() {
	cl.state.Store(0)
	cl.hit, cl.several = nil, false
	if cl.stop.Load() != nil {
		cl.stop.Store(nil)
	}
}

// begin reports whether the call is to be carried out. It runs on the thread.
func (cl *Call) begin() bool {
	return cl.state.CompareAndSwap(0, begun) || cl.state.CompareAndSwap(left, left|begun)
}

// finish ends the call on the thread, and the attempt to stop it, which it returns; nil
// if there was none. It does nothing and returns false if the waiter has left and what the
// work opened for it is not closed.
func (cl *Call) finish(closed bool) (s *stopping, done bool) {
	for {
		was := cl.state.Load()
		if was&left != 0 && cl.Orphan != nil && !closed {
			return nil, false
		}
		if was&stoppingBit != 0 {
			s = cl.stop.Load()
		}
		if cl.state.CompareAndSwap(was, was|over) {
			break
		}
	}
	if s != nil {
		s.end()
	}
	return s, true
}

// firstPause and longestPause are between two attempts to stop a call.
const (
	firstPause   = time.Millisecond
	longestPause = 20 * time.Millisecond
)

// insist asks the database again and again to stop the call. The call may be between
// two statements, or may not have reached the database yet.
func (c *Conn) insist(cl *Call, s *stopping) {
	defer close(s.done)
	timer := time.NewTimer(firstPause)
	defer timer.Stop()
	start := time.Now()
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if !c.interrupt(cl, s) && time.Since(start) > Grace {
			c.HangUp() // a COMMIT or ROLLBACK that is not answered
		}
		timer.Reset(pause)
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		}
	}
}

// interrupt makes one attempt. The end of a transaction is not interrupted, at most
// its wait for a lock. Then interrupt returns false.
func (c *Conn) interrupt(cl *Call, s *stopping) bool {
	if !c.firm.TryLock() {
		if w, ok := c.intr.(LockWaiter); ok {
			w.StopWaiting()
		}
		return false
	}
	defer c.firm.Unlock()
	if s.ctx.Err() == nil {
		c.intr.Interrupt(s.ctx)
	}
	return true
}

// Verdict returns the error of a call as its caller gets it. If the database has
// stopped the call, that is the cause of the stop. It is ErrOutcomeUnknown if a write's
// connection broke, or if a text of several statements was stopped. Verdict runs on the
// thread, or after the call's end.
func (c *Conn) Verdict(cl *Call, err error, writes bool) error {
	if err == nil || c.intr == nil || errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrRolledBack) {
		return err
	}
	s := cl.stop.Load()
	if s == nil {
		switch {
		case !writes || !c.Lost(err):
			return err
		case errors.Is(err, driver.ErrBadConn): // it must not be made again
			return fmt.Errorf("%w: %v", ErrOutcomeUnknown, err)
		}
		return Unknown(err)
	}
	lost := c.Lost(err)
	switch {
	case writes && (lost || cl.several):
		return fmt.Errorf("%w: %w (%v)", ErrOutcomeUnknown, s.cause, err)
	case lost, cl.hit != nil && errors.Is(err, cl.hit), AnyIn(err, c.intr.Interrupted):
		return s.cause
	}
	return err
}

// Lost reports whether err says that the connection broke after the call was
// sent, as far as the adapter can tell.
func (c *Conn) Lost(err error) bool {
	l, ok := c.intr.(LossTeller)
	return ok && AnyIn(err, l.Lost)
}

// AnyIn reports whether is holds for err or one that it wraps.
func AnyIn(err error, is func(error) bool) bool {
	if err == nil {
		return false
	}
	if is(err) {
		return true
	}
	switch w := err.(type) {
	case interface{ Unwrap() error }:
		return AnyIn(w.Unwrap(), is)
	case interface{ Unwrap() []error }:
		for _, e := range w.Unwrap() {
			if AnyIn(e, is) {
				return true
			}
		}
	}
	return false
}
