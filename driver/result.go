package driver

import "database/sql/driver"

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
