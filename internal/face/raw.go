package face

import (
	"context"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// Raw runs fn on the thread of a connection of New's. Once fn has begun, Raw waits for
// its end whatever ctx does: fn may use what the caller uses.
func Raw(ctx context.Context, dc any, fn func() error) (err error) {
	c := dc.(interface{ self() *conn }).self()
	cl := &call{writes: true}
	ctx, cl.trace = c.pc.Trace(ctx, pinned.OpFunction, "")
	if cl.trace != nil {
		defer func() { cl.trace.End(err) }()
	}
	f := &function{fn: func(context.Context) error {
		err := fn()
		c.pc.Observe(err)
		return err
	}}
	if err := cl.begin(ctx, c, f); err != nil {
		return err
	}
	if cl.task != nil && !cl.task.Wait(nil, cl.until.Done()) {
		if cl.task.Withdraw() {
			return ctx.Err()
		}
		if cl.call.Stop(ctx, c.pc, ctx.Err()) {
			cl.task.Leave()
			return ctx.Err()
		}
		cl.task.Wait(nil, nil)
	}
	if err := cl.end(); err != nil {
		return err
	}
	return cl.verdict(f.err)
}
