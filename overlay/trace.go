package overlay

import (
	"context"
	"io"
	"strings"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// How tracers are told of calls. A call has a trace from the goroutine that makes it until
// finish, or until its stream ends. In between the trace is of whoever moves the phase.

// traced tells the tracers of a call that is about to be made, unless that was done. The
// context that it returns is the call's.
func (o *callOptions) traced(ctx context.Context, c *config) context.Context {
	if c.tracers == nil || o.op == 0 || o.trace != nil {
		return ctx
	}
	returned := false
	defer func() { // a tracer may end the goroutine
		if !returned && o.ended != nil {
			o.ended()
		}
	}()
	text := ""
	if o.statement || o.op == pinned.OpBegin || o.kind == ending {
		text = o.describe
	}
	ctx, o.trace = c.tracers.Start(ctx, pinned.TraceCall{Op: o.op, Statement: text})
	returned = true
	return ctx
}

// tracedTidy is traced for a call that ctx does not stop.
func (o *callOptions) tracedTidy(ctx context.Context, c *config) context.Context {
	if c.tracers == nil {
		return background
	}
	return context.WithoutCancel(o.traced(ctx, c))
}

// counted notes how many rows the call that runs has got or changed. It runs on the thread.
func (l *lane) counted(n int64) {
	if c := l.current.Load(); c != nil && c.trace != nil {
		c.trace.Count(n)
	}
}

// traceEnd tells of the end of a stream, on the thread.
func (st *stream) traceEnd(l *lane, why error) {
	if st.trace == nil {
		return
	}
	var cl *pinned.Call
	if c := l.current.Load(); c != nil {
		cl = &c.pinned
	}
	if why == io.EOF || why == ErrClosed || why == ErrReturnsNoRows {
		why = nil
	}
	st.trace.EndIn(cl, st.got, why)
}

// mostText bounds the text of a batch.
const mostText = 4096

// tracedBatch is traced for a batch.
func (o *callOptions) tracedBatch(ctx context.Context, to Target, requests []*request) context.Context {
	q, _, _ := to.target()
	if q.config.tracers == nil {
		return ctx
	}
	o.op = pinned.OpBatch
	var text strings.Builder
	for i, r := range requests {
		if i > 0 {
			if r.Query == requests[i-1].Query { // that of ExecManyAsync
				continue
			}
			text.WriteString("; ")
		}
		if text.Len()+len(r.Query) > mostText {
			text.WriteString("…")
			break
		}
		text.WriteString(r.Query)
	}
	ctx, o.trace = q.config.tracers.Start(ctx, pinned.TraceCall{Op: o.op, Statement: text.String(), BatchSize: len(requests)})
	return ctx
}
