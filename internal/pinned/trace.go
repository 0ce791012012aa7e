package pinned

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Tracers are told of the calls of some connections: starts in their order, ends in the
// opposite one. A nil *Tracers costs nothing.
type Tracers struct{ all []*guarded }

// With returns tracers that include t.
func (ts *Tracers) With(t Tracer) *Tracers {
	if t == nil {
		return ts
	}
	more := new(Tracers)
	if ts != nil {
		more.all = append(more.all, ts.all...)
	}
	more.all = append(more.all, &guarded{tracer: t})
	return more
}

// guarded is a tracer whose panics are logged.
type guarded struct {
	tracer Tracer
	logged atomic.Bool
}

func (g *guarded) start(ctx context.Context, call TraceCall) (out context.Context, ok bool) {
	defer func() {
		if g.recovered(recover(), "TraceStart") {
			out, ok = ctx, false
		}
	}()
	if out = g.tracer.TraceStart(ctx, call); out == nil {
		out = ctx
	}
	return out, true
}

func (g *guarded) end(ctx context.Context, end TraceEnd) {
	defer func() { g.recovered(recover(), "TraceEnd") }()
	g.tracer.TraceEnd(ctx, end)
}

func (g *guarded) recovered(v any, method string) bool {
	if v == nil {
		return false
	}
	if g.logged.CompareAndSwap(false, true) {
		slog.Error("aio: a tracer has panicked; its next panics are not logged",
			"method", method, "panic", v, "stack", string(debug.Stack()))
	}
	return true
}

// A Trace is one call that tracers are told of. Start makes it, and whoever ends the call
// ends it. It belongs to the goroutine that makes the call, save what is the thread's.
type Trace struct {
	tracers *Tracers
	call    TraceCall
	ctx     context.Context // what the tracers have made of the caller's
	started int64
	failed  uint64      // bit i: the start of tracer i has panicked
	over    atomic.Bool // End was called

	hop         *Call // under way, or over and not yet added; nil: none
	sent        int64 // when it was sent to the thread
	queued, ran int64 // of the hops before
	broken      bool  // the work of a hop has not returned
	whole       bool  // see Whole
	shared      int64 // by the call as one of a group; 0: it was not
	rows        int64
	err         error // the first one of the call's rows

	// The thread's. beganAt is shown by the state of the hop's Call when it is begun, the
	// others when it is over.
	beganAt, endedAt int64
	brokeOff         bool  // the work has panicked, or ended its goroutine
	counted          int64 // rows
	hasCounted       bool
	commit           int64 // see Shares
}

var epoch = time.Now()

// clock returns the time in nanoseconds.
func clock() int64 { return int64(time.Since(epoch)) }

// Start tells the tracers of a call that is about to be made. The context that it returns
// is the call's. The trace is nil if there are no tracers.
func (ts *Tracers) Start(ctx context.Context, call TraceCall) (context.Context, *Trace) {
	if ts == nil {
		return ctx, nil
	}
	t := &Trace{tracers: ts, call: call, rows: -1}
	for i, g := range ts.all {
		var ok bool
		if ctx, ok = g.start(ctx, call); !ok {
			t.failed |= 1 << i
		}
	}
	t.ctx = ctx
	t.started = clock()
	t.sent = t.started
	return ctx, t
}

// Trace is Tracers.Start for a call of the connection.
func (c *Conn) Trace(ctx context.Context, op Op, statement string) (context.Context, *Trace) {
	if c.tracers == nil {
		return ctx, nil
	}
	return c.tracers.Start(ctx, TraceCall{Op: op, Statement: statement})
}

// Hop says that cl, which has the trace, is about to be sent to the thread. The first hop
// counts from the call's start.
func (t *Trace) Hop(cl *Call) {
	if t.hop != nil {
		now := clock()
		t.add(t.hop, now)
		t.sent = now
	}
	t.hop = cl
}

// add adds the time that a hop has waited, and that it has run until now.
func (t *Trace) add(cl *Call, now int64) {
	waited := now
	switch state := cl.state.Load(); {
	case state&begun == 0:
	case state&over == 0:
		waited = t.beganAt
		t.ran += now - t.beganAt
	default:
		waited = t.beganAt
		t.ran += t.endedAt - t.beganAt
		t.broken = t.brokeOff
	}
	if t.hop == cl {
		t.queued += waited - t.sent
		t.hop = nil
	}
}

// begin, returned and done are called on the thread: before the work of a hop begins, after
// it unless it has panicked or ended its goroutine, and in any case.
func (t *Trace) begin() {
	t.beganAt, t.brokeOff = clock(), true
	t.counted, t.hasCounted = 0, false // of an attempt that was made in vain
}
func (t *Trace) returned() { t.brokeOff = false }
func (t *Trace) done()     { t.endedAt = clock() }

// Count is Rows for the work of a hop, on the thread.
func (t *Trace) Count(n int64) { t.counted, t.hasCounted = t.counted+n, true }

// Ran adds the time and the rows of a hop that is over, on the thread.
func (t *Trace) Ran(cl *Call) {
	if t.over.Load() {
		return
	}
	t.add(cl, clock())
	t.shared = t.commit
	if t.hasCounted {
		t.Rows(t.counted)
		t.counted, t.hasCounted = 0, false
	}
}

// Rows adds to the rows of the call.
func (t *Trace) Rows(n int64) {
	if t != nil {
		t.rows = max(t.rows, 0) + n
	}
}

// Affected adds the rows that a statement has changed.
func (t *Trace) Affected(r *Result) {
	if t != nil && r != nil && r.AffectedErr == nil {
		t.Rows(r.Affected)
	}
}

// Fail notes an error of the call's rows.
func (t *Trace) Fail(err error) {
	if t != nil && t.err == nil {
		t.err = err
	}
}

// Whole says that the call is made on the thread, which is busy with it until its end.
func (t *Trace) Whole() {
	if t != nil {
		t.whole = true
	}
}

// Shares says that the call was one of a group, whose COMMIT took d on the thread. Whatever
// else happened until the call's end, it has waited. The thread calls it before Ran.
func (t *Trace) Shares(d time.Duration) {
	if t != nil {
		t.commit = max(int64(d), 1)
	}
}

var errBroken = errors.New("sqlaio: the call has panicked, or ended its goroutine")

// End tells the tracers that the call has ended with err. Only the first End counts.
func (t *Trace) End(err error) { t.EndIn(nil, 0, err) }

// EndIn is End on the thread, in a hop cl, which may be nil, of a call with rows more rows.
func (t *Trace) EndIn(cl *Call, rows int64, err error) {
	if t == nil || !t.over.CompareAndSwap(false, true) {
		return
	}
	if rows > 0 || cl != nil {
		t.Rows(rows)
	}
	now := clock()
	end := TraceEnd{TraceCall: t.call, Took: time.Duration(now - t.started), Rows: t.rows, Err: err}
	switch {
	case t.hop != nil:
		t.add(t.hop, now)
	case cl != nil:
		t.add(cl, now)
	}
	switch {
	case t.whole:
		t.queued, t.ran = 0, now-t.started
	case t.shared > 0:
		t.ran += t.shared
		t.queued = now - t.started - t.ran
	}
	end.Queued, end.OnThread = time.Duration(t.queued), time.Duration(t.ran)
	if t.err != nil {
		end.Err = t.err
	}
	if end.Err == nil && t.broken {
		end.Err = errBroken
	}
	for i := len(t.tracers.all) - 1; i >= 0; i-- {
		if t.failed&(1<<i) == 0 {
			t.tracers.all[i].end(t.ctx, end)
		}
	}
}
