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
	task        *threadpin.Task
	interrupted atomic.Bool // by this call's owner, while the work was done
}

// work is what a call is for. It is done on the thread, with the context that
// the inner driver gets.
type work interface{ do(inner context.Context) }

// begin hands the call to the thread. With an Interrupter the inner driver gets
// a context that never ends. Without one it gets ctx, and gets it also
// if it has ended already: what that means is then the driver's affair.
func (cl *call) begin(ctx context.Context, c *conn, w work) error {
	cl.c, cl.ctx, cl.until, cl.work = c, ctx, ctx, w
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
	c.settle()
	cl.work.do(inner)
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
	cl.c.unsettled.Store(true)
	cl.c.link.intr.Interrupt(context.WithoutCancel(cl.ctx))
}

// verdict turns the error of work that was interrupted into its context's.
func (cl *call) verdict(err error) error {
	if err != nil && cl.interrupted.Load() && cl.c.link.intr.Interrupted(err) {
		return cl.ctx.Err()
	}
	return err
}

// whole makes a call and waits for its end. The error is that of a call
// that was not made, or whose work ended its goroutine.
func (cl *call) whole(ctx context.Context, c *conn, w work) error {
	if err := cl.begin(ctx, c, w); err != nil {
		return err
	}
	if err := cl.await(nil); err != nil {
		return err
	}
	return broken(cl.task.End())
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

// always is do for what no context ends.
func (c *conn) always(fn func() error) error {
	return c.do(context.Background(), func(context.Context) error { return fn() })
}

// broken translates the error of a worker that is gone, so that database/sql
// drops the connection.
func broken(err error) error {
	if err == threadpin.ErrAlreadyQuit {
		return driver.ErrBadConn
	}
	return err
}
