package pinned

import (
	"context"
	"database/sql/driver"
)

// Result is what the inner Result returned. It was asked on the thread, in the
// call's own hop.
type Result struct {
	ID, Affected       int64
	IDErr, AffectedErr error
}

var _ driver.Result = (*Result)(nil)

// LastInsertId returns what the inner Result's returned.
func (r *Result) LastInsertId() (int64, error) { return r.ID, r.IDErr }

// RowsAffected returns what the inner Result's returned.
func (r *Result) RowsAffected() (int64, error) { return r.Affected, r.AffectedErr }

// Exec executes a request. The result may be nil, as the driver's may.
func (c *Conn) Exec(inner context.Context, q *Request) (r *Result, skipped bool, err error) {
	if err := c.mayRun(q); err != nil {
		return nil, false, err
	}
	if err := c.mayWrite(inner, q.Query); err != nil {
		return nil, false, err
	}
	c.executing(q)
	ir, skipped, err := q.exec(inner, c.inner)
	c.observed(q, err)
	if err != nil || ir == nil {
		return nil, skipped, err
	}
	r = new(Result)
	r.ID, r.IDErr = ir.LastInsertId()
	r.Affected, r.AffectedErr = ir.RowsAffected()
	return r, false, nil
}
