package face

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// Close ends the fill under way and closes the inner rows. It costs no hop if the
// worker has met the end of the rows.
//
// The fill may be in a step that takes long. If the query only reads, the fill is
// stopped. Otherwise Close waits for it until the context ends: stopping a write can
// cost the whole transaction. Close returns the error of a write that reading ahead
// has met.
func (r *rows) Close() (err error) {
	if trace := r.fill.trace; trace != nil {
		defer func() {
			if err == nil && !r.told { // database/sql closes rows when their context ends
				trace.Fail(r.fill.ctx.Err())
			}
			trace.Rows(int64(r.before + r.taken))
			trace.End(err)
		}()
	}
	r.inner.Unwanted.Store(true)
	err = r.endFill()
	switch {
	case r.lost && !r.told && r.writes():
		return pinned.Unknown(r.fill.ctx.Err())
	case r.lost:
		return nil
	case err != nil, r.c.closed:
		return err
	}
	defer r.drop()
	failed := r.untold()
	switch {
	case r.inner.Gone():
		err = r.inner.Close() // the error of closing them, once more
	case !r.quiet:
		err = r.finish()
	}
	switch {
	case err == nil:
		return failed
	case r.stopped && !r.writes() && r.isStop(err):
		return nil
	}
	return r.fill.verdict(err)
}

// isStop reports whether err comes from stopping the fill.
func (r *rows) isStop(err error) bool { return errors.Is(r.fill.verdict(err), r.fill.call.Stopped()) }

// writes reports whether the rows are those of a write, as far as the text tells.
func (r *rows) writes() bool {
	return r.fill.writes && sqltext.MayChange(r.request.Query, r.c.pc.Dialect())
}

// untold returns the error of a write that reading ahead has met. The bare driver
// would meet it now.
func (r *rows) untold() error {
	if r.told || !r.writes() {
		return nil
	}
	for _, b := range []*batch{r.current, r.ahead} {
		if b != nil && b.sealed.Load() && b.err != nil && b.err != io.EOF {
			return r.fill.verdict(b.err)
		}
	}
	return nil
}

// drop lets go of the rows that were read and not fetched: the connection may refer
// to r for a while.
func (r *rows) drop() {
	for i := range r.batches {
		r.batches[i].values, r.batches[i].arena = nil, nil
	}
	clear(r.space[:])
}

// finish closes the inner rows with a hop. A driver may read them to their end for
// that, and is stopped when their context ends. The watch over the context is set on
// the thread: the hop is never withdrawn, and may begin long after the caller has left.
func (r *rows) finish() error {
	ctx, pc := r.fill.ctx, r.c.pc
	if !pc.Stops() || ctx.Done() == nil {
		return r.c.closingFor(r.fill.trace, r.closeInner)
	}
	cl := &call{closing: true, writes: r.writes()}
	cl.trace = r.fill.trace
	f := &function{fn: func(context.Context) error {
		defer context.AfterFunc(ctx, func() { cl.call.Stop(ctx, pc, ctx.Err()) })()
		return r.closeInner()
	}}
	if err := cl.begin(context.Background(), r.c, f); err != nil {
		return err
	}
	if cl.task != nil && !cl.task.Wait(nil, ctx.Done()) {
		if left, err := pinned.AwaitOutcome(&cl.call, cl.task, nil, ctx.Err()); left {
			return cl.leave(err)
		}
	}
	if err := cl.end(); err != nil {
		return err
	}
	return cl.verdict(f.err)
}

// patience is how long a fill may go on after its rows were closed, before it is
// stopped. Most are about to end. grace is the same for a write's fill after its
// context has ended.
const (
	patience = time.Millisecond
	grace    = 10 * time.Millisecond
)

// endFill waits for the fill under way, and has it stopped if it takes long. It returns
// an error only if the fill has ended its goroutine.
func (r *rows) endFill() error {
	t := r.fill.task
	if t == nil {
		return nil
	}
	defer func() { r.fill.task = nil }()
	if !t.Over() {
		switch r.awaitEnd(t) {
		case withdrawn:
			return nil
		case gone:
			r.lost = true
			return nil
		}
	}
	if err := t.Err(); err != nil && r.inner.Gone() {
		return broken(t.End())
	}
	t.Release()
	return nil
}

// ending is how the wait for a fill has ended.
type ending int

const (
	done      ending = iota
	withdrawn        // it will not begin
	gone             // it was left, and is the thread's
)

// awaitEnd waits for the fill of rows that were closed.
func (r *rows) awaitEnd(t *thread.Task) ending {
	c := r.c
	if !c.pc.Stops() {
		t.Wait(nil, nil)
		return done
	}
	wait := patience
	if !r.readsOnly {
		if t.Wait(nil, r.fill.ctx.Done()) {
			return done
		}
		wait = grace
	}
	late := make(chan struct{})
	timer := time.AfterFunc(wait, func() { close(late) })
	defer timer.Stop()
	if t.Wait(nil, late) {
		return done
	}
	r.stopped = true
	cause := context.Canceled
	if err := r.fill.ctx.Err(); err != nil {
		cause = err
	}
	if r.fill.call.Stop(r.fill.ctx, c.pc, cause) {
		t.Leave()
		return withdrawn
	}
	if left, _ := pinned.AwaitOutcome(&r.fill.call, t, nil, cause); left {
		r.c.leftCall = &r.fill.call
		return gone
	}
	return done
}
