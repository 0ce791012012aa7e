package pinned

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// Grace is how long a caller whose context has ended waits for the outcome of its
// call before it leaves.
const Grace = 100 * time.Millisecond

// hop is a call on its way to the thread.
type hop struct {
	c   *Conn
	cl  *Call
	ctx context.Context
	t   *Trace
	w   Work
	err error
}

// RunOnThread is the thread's side.
func (h *hop) RunOnThread() { h.err = h.c.Run(h.ctx, h.cl, h.t, h.w) }

// Hop hands a call to the thread and waits for it. When ctx ends, the call is
// withdrawn or stopped. left reports that it was not over Grace later: its outcome is
// unknown, and w is still being done.
func Hop(ctx context.Context, c *Conn, cl *Call, w Work) (left bool, err error) {
	return hopTraced(ctx, c, cl, nil, w)
}

func hopTraced(ctx context.Context, c *Conn, cl *Call, trace *Trace, w Work) (left bool, err error) {
	h := &hop{c: c, cl: cl, ctx: ctx, t: trace, w: w}
	t := c.worker.NewTask(h)
	if err := t.Begin(ctx); err != nil {
		t.Release()
		return false, broken(err)
	}
	left, err = Await(ctx, c, cl, t, nil)
	if left || err != nil {
		return left, err
	}
	if err := t.End(); err != nil {
		return false, broken(err)
	}
	return false, h.err
}

// Await waits for the task of a call, or until cond holds. When ctx ends, the call
// is withdrawn, or else stopped and waited for up to Grace. After an error the caller
// no longer owns the task: the call was withdrawn, or left.
func Await(ctx context.Context, c *Conn, cl *Call, t *thread.Task, cond func() bool) (left bool, err error) {
	if t.Wait(cond, ctx.Done()) {
		return false, nil
	}
	if t.Withdraw() {
		return false, ctx.Err()
	}
	if cl.Stop(ctx, c, ctx.Err()) {
		t.Leave()
		return false, ctx.Err()
	}
	return AwaitOutcome(cl, t, cond, ctx.Err())
}

// AwaitOutcome waits up to Grace for a call that is to end, and then leaves it.
func AwaitOutcome(cl *Call, t *thread.Task, cond func() bool, cause error) (left bool, err error) {
	if AwaitGrace(t, cond) || !Leave(cl, t) {
		return false, nil
	}
	return true, cause
}

// AwaitGrace waits up to Grace for the end of a task or for cond, and reports whether
// one came.
func AwaitGrace(t *thread.Task, cond func() bool) bool {
	late := make(chan struct{})
	timer := time.AfterFunc(Grace, func() { close(late) })
	defer timer.Stop()
	return t.Wait(cond, late)
}

// Leave leaves a call that has begun, and its task, to the thread. It reports
// false if the call is over, and its result is there.
func Leave(cl *Call, t *thread.Task) bool {
	if !cl.Leave() {
		t.Wait(nil, nil) // the call is over, and its task in a moment
		return false
	}
	t.Leave()
	return true
}
