package face

import (
	"bytes"
	"context"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// execution is an Exec under way. A connection serves one call at a time, so it reuses
// one execution for all.
type execution struct {
	call
	pinned.Request
	result  *pinned.Result
	skipped bool
	err     error
}

// Do executes on the thread.
func (e *execution) Do(inner context.Context) {
	e.result, e.skipped, e.err = e.c.pc.Exec(inner, &e.Request)
}

// execute makes one hop of an Exec.
func (c *conn) execute(ctx context.Context, q pinned.Request) (result driver.Result, err error) {
	if err := c.ended(); err != nil {
		return nil, err
	}
	if c.guarded(ctx) {
		after, err := c.guard(ctx, q.Query)
		if err != nil {
			return nil, err
		}
		if after != nil {
			defer after()
		}
	}
	ctx, trace := c.pc.Trace(ctx, pinned.OpExec, q.Query)
	if trace != nil {
		defer func() { trace.End(err) }()
	}
	e := c.execution
	if e == nil {
		e = new(execution)
		e.writes = true
		c.execution = e
	}
	q.Args = c.own(ctx, q.Args)
	e.Request, e.result, e.skipped, e.err = q, nil, false, nil
	e.trace = trace
	if err := e.whole(ctx, c, e); err != nil {
		return nil, err
	}
	r, err := e.result, e.verdict(e.err)
	e.Request, e.result, e.err, e.ctx, e.trace = pinned.Request{}, nil, nil, nil, nil
	trace.Affected(r)
	if e.skipped {
		c.skip = true
	}
	if r == nil {
		return nil, err
	}
	return r, err
}

// own returns the arguments for a call that its caller may leave. It copies []byte
// values, which the caller may change after that.
func (c *conn) own(ctx context.Context, args []driver.NamedValue) []driver.NamedValue {
	if ctx.Done() == nil || !c.pc.Stops() {
		return args
	}
	for i := range args {
		if b, ok := args[i].Value.([]byte); ok && b != nil {
			args[i].Value = bytes.Clone(b)
		}
	}
	return args
}

// ExecContext executes in one hop, even if the inner connection needs a statement for
// it, or declines with ErrSkip.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.execute(ctx, pinned.Request{Query: query, Args: args})
}
