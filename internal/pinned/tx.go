package pinned

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// A Tx is a transaction that was begun on a connection. It is the thread's, and
// has one of these fates:
//
//	open         as far as the database has said  -> rolledBack, ended (observe), over
//	rolledBack   by the database, after an error   -> over (Commit, Rollback)
//	ended        by a statement that succeeded     -> over (Commit, Rollback)
//	over         committed or rolled back
type Tx struct {
	holder *Holder
	inner  driver.Tx
	strict bool
	fate   fate
	why    error // of rolledBack: the error that made the database do it
}

type fate uint8

const (
	open fate = iota
	rolledBack
	ended
	finished
)

// observe takes what the database said after a call with that error.
func (t *Tx) observe(st TxStatus, err error) {
	switch {
	case t.fate != open:
	case st == TxLost:
		t.fate, t.why = rolledBack, err
	case st == TxNone:
		t.fate = ended
	}
}

// refused returns why a statement in the transaction is not to be made: it would
// be carried out outside of it.
func (t *Tx) refused() error {
	switch {
	case t.fate == rolledBack && t.why != nil:
		return fmt.Errorf("%w after: %w", ErrRolledBack, t.why)
	case t.fate == rolledBack:
		return ErrRolledBack
	case t.fate == ended && t.strict:
		return ErrTxEnded
	}
	return nil
}

// Over reports whether the transaction was committed or rolled back by its owner.
func (t *Tx) Over() bool { return t.fate == finished }

// ErrInTransaction is wrapped by the error of a Begin on a connection with an
// open transaction, which some databases would commit then.
var ErrInTransaction = errors.New("sqlaio: a transaction is open already on this connection")

// Begin begins a transaction of the holder's. In a strict one statements are
// refused also after a statement that succeeded has ended it.
func (c *Conn) Begin(inner context.Context, h *Holder, opts driver.TxOptions, strict bool) (*Tx, error) {
	if c.inner == nil {
		return nil, driver.ErrBadConn
	}
	if c.busy != nil {
		return nil, c.busy
	}
	if c.status == TxOpen && (c.tx != nil || strict) {
		return nil, ErrInTransaction
	}
	itx, err := begin(inner, c.inner, opts)
	if err != nil {
		c.Observe(err)
		return nil, err
	}
	t := &Tx{holder: h, inner: itx, strict: strict}
	c.tx = t
	if c.reporter != nil {
		c.status = c.reporter.TxStatus(nil)
	}
	return t, nil
}

func begin(ctx context.Context, inner driver.Conn, opts driver.TxOptions) (driver.Tx, error) {
	if b, ok := inner.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	t, err := inner.Begin()
	if err == nil && ctx.Err() != nil {
		t.Rollback()
		return nil, ctx.Err()
	}
	return t, err
}

// Commit commits. It returns nil only if COMMIT was carried out and answered; if
// it fails nothing of the transaction is left open, or the connection is dead.
func (c *Conn) Commit(t *Tx) (err error) {
	switch {
	case t.fate == finished:
		return sql.ErrTxDone
	case c.inner == nil:
		return driver.ErrBadConn
	}
	refused := t.refused()
	if refused != nil {
		c.Rollback(t)
		return refused
	}
	c.ending(t, func() {
		if err = t.inner.Commit(); err != nil {
			c.Observe(err)
			c.rollBackFailed(t)
		}
	})
	return err
}

// rollBackFailed rolls back a transaction whose COMMIT has failed, unless the
// database says that none is open. Where it says nothing only a strict one is:
// database/sql leaves that to the driver.
func (c *Conn) rollBackFailed(t *Tx) {
	if c.dead || c.status == TxNone || c.reporter == nil && !t.strict {
		return
	}
	err := t.inner.Rollback()
	if c.reporter == nil {
		if err != nil {
			c.Kill() // it may be open still
		}
		return
	}
	if c.status = c.reporter.TxStatus(nil); c.status != TxNone {
		c.endByText()
	}
}

// endByText rolls back what is open. If that fails the connection is dead.
func (c *Conn) endByText() {
	if c.statement("ROLLBACK"); c.status != TxNone {
		c.Kill()
	}
}

// Rollback rolls back. The error is the inner driver's, whatever it says of a
// transaction that the database has ended by itself. If the transaction is still
// open then, the connection is dead.
func (c *Conn) Rollback(t *Tx) (err error) {
	c.ending(t, func() {
		err = t.inner.Rollback()
		switch {
		case c.reporter != nil:
			if err != nil {
				c.Observe(err)
			}
			if c.status = c.reporter.TxStatus(nil); c.status != TxNone && c.status != TxUnknown && !c.dead {
				c.endByText()
			}
		case err != nil:
			c.Kill()
		}
	})
	return err
}

// Firmly calls fn, on the thread, with no interrupt meanwhile: one that is under way is waited for
// and taken back.
func (c *Conn) Firmly(fn func()) {
	c.firm.Lock()
	defer c.firm.Unlock()
	for cl := c.current; cl != nil; cl = cl.outer {
		if cl.Stopped() != nil {
			c.settleNow()
			break
		}
	}
	fn()
}

// ending ends a transaction firmly.
func (c *Conn) ending(t *Tx, end func()) {
	if t.fate == finished {
		return
	}
	t.fate = finished
	if c.tx == t {
		c.tx = nil
	}
	if c.inner == nil {
		return
	}
	if c.busy != nil {
		c.free()
	}
	c.Firmly(end)
	if c.reporter != nil {
		c.status = c.reporter.TxStatus(nil)
	}
}

// Refused returns why statements are refused on the connection now; nil if they
// are not. The thread's.
func (c *Conn) Refused() error {
	if c.tx == nil {
		return nil
	}
	return c.tx.refused()
}

// InTx reports whether a transaction is open: as the database says, or else as
// it was begun and ended. The thread's.
func (c *Conn) InTx() bool {
	if c.Dead() || !c.Valid() {
		return false
	}
	switch c.status {
	case TxNone, TxLost:
		return false
	case TxOpen:
		return true
	}
	return c.tx != nil && c.tx.fate == open
}

// RollBackOpen leaves the connection with no transaction open, and reports
// whether there was one. If one is still open then, the connection is dead. The
// thread's.
func (c *Conn) RollBackOpen() (was bool) {
	if c.inner == nil || c.dead {
		return c.tx != nil
	}
	if c.tx != nil {
		was = true
		c.Rollback(c.tx)
	}
	if c.status == TxOpen || c.status == TxLost {
		was = true
		c.Firmly(c.endByText)
	}
	return was
}
