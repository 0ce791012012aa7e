package driver

import (
	"context"
	"database/sql/driver"
)

type tx struct {
	c     *conn
	inner driver.Tx
	ctx   context.Context // BeginTx's: when it ends database/sql rolls back
	done  bool            // the caller's
}

// Commit cannot be interrupted: once sent, only its answer tells what became
// of the transaction.
func (t *tx) Commit() error { return t.end(t.inner.Commit) }

func (t *tx) Rollback() error { return t.end(t.inner.Rollback) }

// end commits or rolls back. What comes from elsewhere while a function of the
// application's has the thread is database/sql's rollback for a context.
func (t *tx) end(how func() error) error {
	if t.done {
		return nil // BeginTx was there first
	}
	t.close()
	end := how
	how = func() (err error) { t.c.firmly(func() { err = end() }); return err }
	if t.c.occupied.Load() && !t.c.link.worker.OnThread() {
		t.c.postpone(how)
		return nil
	}
	var cl call
	f := function{fn: func(context.Context) error { return how() }}
	err := cl.whole(context.Background(), t.c, &f)
	switch {
	case cl.unsettled != nil:
		return driver.ErrBadConn // the transaction is open: the connection has to go
	case err != nil:
		return err
	}
	return f.err
}

func (t *tx) close() {
	t.done = true
	if t.c.tx == t {
		t.c.tx = nil
	}
}

// ended returns the error of a transaction that is still open although its
// context has ended: the rollback is on its way, in a goroutine of
// database/sql's, and another call of a sql.Conn can come before it. Such a
// call would become part of the transaction and be rolled back with it, though
// it was reported as done. A driver without an adapter sees to that itself.
func (c *conn) ended() error {
	if c.tx == nil || c.link.intr == nil {
		return nil
	}
	return c.tx.ctx.Err()
}

// firmly runs fn on the thread with no interrupt of a Handle meanwhile.
func (c *conn) firmly(fn func()) {
	c.firm.Lock()
	defer c.firm.Unlock()
	fn()
}
