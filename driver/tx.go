package driver

import "database/sql/driver"

type tx struct {
	c     *conn
	inner driver.Tx
}

// Commit cannot be interrupted: once sent, only its answer tells what became
// of the transaction.
func (t *tx) Commit() error   { return t.c.always(t.inner.Commit) }
func (t *tx) Rollback() error { return t.c.always(t.inner.Rollback) }
