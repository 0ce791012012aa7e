package driver

import (
	"context"
	"database/sql/driver"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/threadpin"
)

// call is one hop of a connection: a function on its thread, with what every
// call needs before and after. The goroutine that makes it owns it.
type call struct {
	c           *conn
	ctx         context.Context // the caller's
	fn          func(inner context.Context)
	task        *threadpin.Task
	interrupted atomic.Bool // by this call's owner, while fn ran
}

// begin hands fn to the thread. With an Interrupter fn gets a context that
// never ends. Without one it gets ctx, and if that has ended
// already fn runs all the same: what that means is the inner driver's affair.
func (c *conn) begin(ctx context.Context, cl *call, fn func(context.Context)) error {
	cl.c, cl.ctx, cl.fn = c, ctx, fn
	if c.link.intr == nil && ctx.Err() != nil {
		ctx = context.Background()
	}
	cl.task = c.link.worker.NewTask(cl.run)
	err := cl.task.Begin(ctx)
	if err != nil {
		cl.task.Release()
		cl.task = nil
	}
	return broken(err)
}

// run is the thread's side.
func (cl *call) run() {
	c := cl.c
	inner := cl.ctx
	if c.link.intr != nil && inner.Done() != nil {
		inner = context.WithoutCancel(inner)
	}
	c.settle()
	cl.fn(inner)
	if v, ok := c.inner.(driver.Validator); ok {
		c.valid.Store(v.IsValid())
	}
}

// await waits until the call is over or cond holds, and interrupts fn
// when the context ends. It returns the context's error if fn never ran.
func (cl *call) await(cond func() bool) error {
	if cl.c.link.intr == nil || cl.ctx.Done() == nil {
		return cl.task.Await(cl.ctx, cond, nil)
	}
	return cl.task.Await(cl.ctx, cond, cl.interrupt)
}

func (cl *call) interrupt() {
	cl.interrupted.Store(true)
	cl.c.unsettled.Store(true)
	cl.c.link.intr.Interrupt(context.WithoutCancel(cl.ctx))
}

// verdict turns the error of a call that was interrupted into its context's.
func (cl *call) verdict(err error) error {
	if err != nil && cl.interrupted.Load() && cl.c.link.intr.Interrupted(err) {
		return cl.ctx.Err()
	}
	return err
}

// do is a whole call: it waits until fn has returned.
func (c *conn) do(ctx context.Context, fn func(context.Context) error) error {
	var cl call
	var err error
	if gone := c.begin(ctx, &cl, func(inner context.Context) { err = fn(inner) }); gone != nil {
		return gone
	}
	if gone := cl.await(nil); gone != nil {
		return gone
	}
	if gone := cl.task.End(); gone != nil {
		return broken(gone)
	}
	return cl.verdict(err)
}

// always is do for calls that no context ends.
func (c *conn) always(fn func() error) error {
	return c.do(context.Background(), func(context.Context) error { return fn() })
}

// broken translates the errors of a worker that is gone, so that database/sql
// drops the connection.
func broken(err error) error {
	if err == threadpin.ErrAlreadyQuit {
		return driver.ErrBadConn
	}
	return err
}
