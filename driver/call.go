package driver

import (
	"context"
	"database/sql/driver"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/threadpin"
)

// call is one hop of a connection, with what every hop does before and after.
// The goroutine that makes it owns it.
type call struct {
	c           *conn
	ctx         context.Context // the caller's
	until       context.Context // withdraws the call, or has it interrupted
	work        work
	closing     bool // the work only closes what is open: it can be done unsettled
	task        *threadpin.Task
	interrupted atomic.Bool // by this call's owner, while the work was done
	unsettled   error       // the thread's: what kept the work from being done
}

// work is what a call is for. It is done on the thread, with the context that
// the inner driver gets.
type work interface{ do(inner context.Context) }

// begin hands the call to the thread. With an Interrupter the inner driver gets
// a context that never ends. Without one it gets ctx, and gets it also
// if it has ended already: what that means is then the driver's affair.
func (cl *call) begin(ctx context.Context, c *conn, w work) error {
	cl.c, cl.ctx, cl.until, cl.work, cl.unsettled = c, ctx, ctx, w, nil
	cl.interrupted.Store(false)
	if c.link.intr == nil && ctx.Err() != nil {
		cl.until = context.Background()
	}
	cl.task = c.link.worker.NewTask(cl)
	err := cl.task.Begin(cl.until)
	if err != nil {
		cl.task.Release()
		cl.task = nil
	}
	return broken(err)
}

// RunOnThread is the thread's side.
func (cl *call) RunOnThread() {
	c := cl.c
	inner := cl.ctx
	if c.link.intr != nil && inner.Done() != nil {
		inner = context.WithoutCancel(inner)
	}
	c.closeLate()
	if !cl.closing {
		cl.unsettled = c.settle()
	}
	if cl.unsettled == nil {
		cl.work.do(inner)
	}
	if v, ok := c.link.inner.(driver.Validator); ok { // not once it is closed
		c.valid.Store(v.IsValid())
	}
}

// await waits until the call is over or cond holds, and interrupts the work
// when the context ends. It returns the context's error if the work was never
// begun; the task is then the worker's.
func (cl *call) await(cond func() bool) error {
	if cl.c.link.intr == nil || cl.until.Done() == nil {
		return cl.task.Await(cl.until, cond, nil)
	}
	return cl.task.Await(cl.until, cond, cl.interrupt)
}

func (cl *call) interrupt() {
	cl.interrupted.Store(true)
	cl.c.link.intr.Interrupt(context.WithoutCancel(cl.ctx))
	// Not before: the call itself may be settling the one before it.
	cl.c.unsettled.Store(true)
}

// verdict turns the error of work that was interrupted into its context's.
func (cl *call) verdict(err error) error {
	if err != nil && cl.interrupted.Load() && cl.c.link.intr.Interrupted(err) {
		return cl.ctx.Err()
	}
	return err
}

// end returns the error of a call that is over: of one whose work was not done,
// or ended its goroutine.
func (cl *call) end() error {
	t := cl.task
	cl.task = nil // before End raises a panic, for other calls may come after that
	if err := t.End(); err != nil {
		return broken(err)
	}
	return cl.unsettled
}

// whole makes a call and waits for its end. The error is that of a call
// that was not made, or whose work was not done or ended its goroutine.
func (cl *call) whole(ctx context.Context, c *conn, w work) error {
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

func (f *function) do(inner context.Context) { f.err = f.fn(inner) }

// do calls fn on the thread.
func (c *conn) do(ctx context.Context, fn func(context.Context) error) error {
	var cl call
	f := function{fn: fn}
	if err := cl.whole(ctx, c, &f); err != nil {
		return err
	}
	return cl.verdict(f.err)
}

// blocking is do for calls that the application makes, under the guard's eyes.
func (c *conn) blocking(ctx context.Context, query string, fn func(context.Context) error) error {
	if c.guarded(ctx) {
		after, err := c.guard(ctx, query)
		if err != nil {
			return err
		}
		if after != nil {
			defer after()
		}
	}
	return c.do(ctx, fn)
}

// closing calls fn, which closes something, on the thread. No context ends that.
// While a function of the application's has the thread nobody waits for it.
func (c *conn) closing(fn func() error) error {
	if c.occupied.Load() && !c.link.worker.OnThread() {
		c.postpone(fn)
		return nil
	}
	cl := call{closing: true}
	f := function{fn: func(context.Context) error { return fn() }}
	if err := cl.whole(context.Background(), c, &f); err != nil {
		return err
	}
	return f.err
}

// broken translates the error of a worker that is gone, so that database/sql
// drops the connection.
func broken(err error) error {
	if err == threadpin.ErrAlreadyQuit {
		return driver.ErrBadConn
	}
	return err
}
