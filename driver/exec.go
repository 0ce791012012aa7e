package driver

import (
	"context"
	"database/sql/driver"
)

// execution is an Exec under way. A connection reuses one for all, for it
// serves one call at a time.
type execution struct {
	call
	request
	result  *result
	skipped bool
	err     error
}

func (e *execution) do(inner context.Context) {
	var r driver.Result
	r, e.skipped, e.err = e.exec(inner, e.c.inner)
	if e.err == nil && r != nil {
		e.result = new(result)
		e.result.read(r)
	}
}

// execute makes one hop of an Exec.
func (c *conn) execute(ctx context.Context, q request) (driver.Result, error) {
	if err := c.ended(); err != nil {
		return nil, err
	}
	if c.guarded(ctx) {
		after, err := c.guard(ctx, q.query)
		if err != nil {
			return nil, err
		}
		if after != nil {
			defer after()
		}
	}
	e := &c.execution
	e.request, e.result, e.skipped, e.err = q, nil, false, nil
	if err := e.whole(ctx, c, e); err != nil {
		return nil, err
	}
	r, err := e.result, e.verdict(e.err)
	e.request, e.result, e.err, e.ctx = request{}, nil, nil, nil
	if e.skipped {
		c.skip = true
	}
	if r == nil {
		return nil, err
	}
	return r, err
}

// ExecContext executes in one hop, also where the inner connection cannot
// without a statement, or declines with ErrSkip.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.execute(ctx, request{query: query, args: args})
}

// result holds what the inner Result said, asked on the thread in the call's
// own hop.
type result struct {
	id, affected       int64
	idErr, affectedErr error
}

var _ driver.Result = (*result)(nil)

func (r *result) read(inner driver.Result) {
	r.id, r.idErr = inner.LastInsertId()
	r.affected, r.affectedErr = inner.RowsAffected()
}

func (r *result) LastInsertId() (int64, error) { return r.id, r.idErr }
func (r *result) RowsAffected() (int64, error) { return r.affected, r.affectedErr }
