package face

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// call is one hop of a connection, or no hop if it is made on the thread. It belongs
// to the goroutine that makes it, until that leaves it.
type call struct {
	c       *conn
	ctx     context.Context // the caller's
	until   context.Context // its end withdraws the call, or has it stopped
	work    pinned.Work
	closing bool // the work only closes what is open: it can be done unsettled
	writes  bool // it may change something: its outcome matters
	call    pinned.Call
	trace   *pinned.Trace // nil: the call is not traced
	task    *thread.Task  // nil: the call was made on the thread, and is over
	hop     *thread.Task  // the thread's, for signal: the caller may have let go of task
	undone  error         // the thread's: what kept the work from being done
	isLeft  bool          // the caller's: the call was left, and is the thread's
}

// begin hands the call to the thread. With an adapter the inner driver gets a
// context that never ends. Without one it gets ctx, even if that has ended already.
func (cl *call) begin(ctx context.Context, c *conn, w pinned.Work) error {
	cl.c, cl.ctx, cl.until, cl.work, cl.undone, cl.isLeft = c, ctx, ctx, w, nil, false
	if cl.trace != nil {
		cl.trace.Hop(&cl.call)
	}
	cl.call.Reset()
	if !c.pc.Stops() && ctx.Err() != nil {
		cl.until = context.Background()
	}
	if c.over.Load() {
		return sql.ErrConnDone
	}
	cl.hop = nil
	if c.pc.OnThread() {
		return cl.inline()
	}
	if c.inline && !cl.closing {
		return errOffThread
	}
	cl.task = c.pc.NewTask(cl)
	cl.hop = cl.task
	err := cl.task.Begin(cl.until)
	if err != nil {
		cl.task.Release()
		cl.task = nil
	}
	return c.lost(broken(err))
}

// inline makes the call on the thread. A context of its own stops it.
func (cl *call) inline() error {
	if err := cl.until.Err(); err != nil {
		return err
	}
	if ctx, pc := cl.until, cl.c.pc; pc.Stops() && ctx.Done() != nil && !cl.c.scoped(ctx) {
		unwatch := context.AfterFunc(ctx, func() { cl.call.Stop(ctx, pc, ctx.Err()) })
		defer func() {
			if !unwatch() {
				cl.c.left() // the Stop may still come
			}
		}()
	}
	cl.RunOnThread()
	return nil
}

// RunOnThread is the thread's side. If the host has ended its guest since the call was
// made, the call is refused: the connection may be somebody else's.
func (cl *call) RunOnThread() {
	if cl.c.over.Load() {
		if !cl.closing {
			cl.undone = sql.ErrConnDone
		}
		return
	}
	if !cl.c.owns && !cl.closing && cl.c.pc.Dead() { // its host does not know yet
		cl.undone = driver.ErrBadConn
		return
	}
	if cl.closing {
		cl.undone = cl.c.pc.RunClosing(cl.ctx, &cl.call, cl.trace, cl.work)
		return
	}
	cl.undone = cl.c.pc.Run(cl.ctx, &cl.call, cl.trace, cl.work)
}

// signal makes a caller who waits look at its condition. It runs on the thread.
func (cl *call) signal() {
	if cl.hop != nil {
		cl.hop.Signal()
	}
}

// await waits until the call is over or cond holds, and has it stopped when the
// context ends. After an error the call is the thread's: it was withdrawn, or left
// because it did not end in time.
func (cl *call) await(cond func() bool) error {
	switch {
	case cl.task == nil:
		return nil
	case !cl.c.pc.Stops():
		if cl.task.Wait(cond, cl.until.Done()) {
			return nil
		}
		if cl.task.Withdraw() {
			return cl.until.Err()
		}
		cl.task.Wait(cond, nil)
		return nil
	}
	left, err := pinned.Await(cl.until, cl.c.pc, &cl.call, cl.task, cond)
	if left {
		return cl.leave(err)
	}
	if err != nil {
		cl.c.left() // the thread may still come to see that it was withdrawn
	}
	return err
}

// leave returns the error of a call that was left.
func (cl *call) leave(cause error) error {
	cl.isLeft = true
	cl.c.leftCall = &cl.call
	cl.c.left()
	if cl.writes {
		return pinned.Unknown(cause)
	}
	return cause
}

// end returns why the work of a call that is over was not done, or that it has ended
// its goroutine.
func (cl *call) end() error {
	t := cl.task
	cl.task = nil // before End raises a panic, for other calls may come after that
	if t != nil {
		if err := t.End(); err != nil {
			return cl.verdict(broken(err))
		}
	}
	return cl.verdict(cl.undone)
}

// verdict returns the error of the work as the caller gets it.
func (cl *call) verdict(err error) error {
	return cl.c.lost(cl.c.pc.Verdict(&cl.call, err, cl.writes))
}

// lost replaces ErrBadConn with ErrLost for a guest: after ErrBadConn database/sql would
// close the guest's sql.Conn, and wait for its transaction and its rows.
func (c *conn) lost(err error) error {
	if !c.owns && err != nil && errors.Is(err, driver.ErrBadConn) {
		return fmt.Errorf("%w: %v", pinned.ErrLost, err)
	}
	return err
}

// whole makes a call and waits for its end. An error says that the call was withdrawn
// or left, or that its work was not done or has ended its goroutine.
func (cl *call) whole(ctx context.Context, c *conn, w pinned.Work) error {
	if err := cl.begin(ctx, c, w); err != nil {
		return err
	}
	if err := cl.await(nil); err != nil {
		return err
	}
	return cl.end()
}

// function is work given as a function with an error.
type function struct {
	fn  func(context.Context) error
	err error
}

// Do calls the function.
func (f *function) Do(inner context.Context) { f.err = f.fn(inner) }

// do calls fn on the thread. orphan, which may be nil, is called there after fn
// if the caller has left meanwhile. trace may be nil.
func (c *conn) do(ctx context.Context, trace *pinned.Trace, fn func(context.Context) error, orphan func()) error {
	cl := &call{writes: orphan == nil, trace: trace}
	cl.call.Orphan = orphan
	f := &function{fn: fn}
	if err := cl.whole(ctx, c, f); err != nil {
		return err
	}
	return cl.verdict(f.err)
}

// blocking is do for calls that the application makes, which the guard looks at.
func (c *conn) blocking(ctx context.Context, op pinned.Op, query string, fn func(context.Context) error, orphan func()) (err error) {
	if c.guarded(ctx) {
		after, err := c.guard(ctx, query)
		if err != nil {
			return err
		}
		if after != nil {
			defer after()
		}
	}
	if op == pinned.OpBegin {
		query = "BEGIN"
	}
	ctx, trace := c.pc.Trace(ctx, op, query)
	if trace != nil {
		defer func() { trace.End(err) }()
	}
	return c.do(ctx, trace, fn, orphan)
}

// closing calls fn, which closes something, on the thread. No context ends that. If an
// inline face is called on another thread, it leaves fn to its own thread and does not
// wait: database/sql closes in goroutines of its own, and may hold a lock that the
// function wants.
func (c *conn) closing(fn func() error) error { return c.closingFor(nil, fn) }

// closingFor is closing for a call that is traced, or nil.
func (c *conn) closingFor(trace *pinned.Trace, fn func() error) error {
	if c.over.Load() { // what it had open is closed
		return nil
	}
	if c.inline && !c.pc.OnThread() {
		c.pc.Later(func() { fn() })
		return nil
	}
	cl := call{closing: true, trace: trace}
	f := function{fn: func(context.Context) error { return fn() }}
	if err := cl.whole(context.Background(), c, &f); err != nil {
		return err
	}
	return f.err
}

// broken translates the error of a worker that is gone, so that database/sql
// drops the connection.
func broken(err error) error {
	if err == thread.ErrAlreadyQuit {
		return driver.ErrBadConn
	}
	return err
}
