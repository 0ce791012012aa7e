package pinned

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A Tx is a transaction on a connection. It is the thread's, and has one of these
// fates:
//
//	open         as far as the database has said  -> any other (observe, took, Spoil, Commit, Rollback)
//	rolledBack   by the database, after an error  -> finished (Commit, Rollback)
//	spoilt       a part of it could not be undone -> finished (Commit, Rollback)
//	ended        by a statement: it may be committed -> finished (Commit, Rollback)
//	finished     committed or rolled back by its owner
//
// A transaction that the text of a statement has begun has no owner. The connection
// forgets it when a text has ended it. If the database has rolled it back, statements
// are refused until a text rolls back, commits or begins one. It is rolled back when
// the connection changes hands (RollBackOpen).
type Tx struct {
	holder   *Holder   // nil: a text has begun it
	inner    driver.Tx // likewise
	strict   bool
	guarded  bool // see BeginImmediate
	readOnly bool // statements that may write are refused, where turns are enforced
	fate     fate
	text     string          // the statement that has begun it, if a text has
	ctx      context.Context // ends before database/sql rolls it back; nil: that is not known
	why      error           // the error that has ended or spoilt it; nil: a statement that succeeded has

	wasEnded atomic.Bool // its fate was ended; anybody may look
}

type fate uint8

const (
	open fate = iota
	rolledBack
	spoilt
	ended
	finished
)

// byText reports whether the text of a statement has begun the transaction.
func (t *Tx) byText() bool { return t.inner == nil }

// end is called when a statement has ended the transaction, or may have.
func (t *Tx) end() {
	t.fate = ended
	t.wasEnded.Store(true)
}

// Ended reports whether a statement has ended the transaction before its owner, or may
// have: a part of it may have been committed. It may be called from any goroutine.
func (t *Tx) Ended() bool { return t.wasEnded.Load() }

// observe notes what the database said after a call that returned err.
func (c *Conn) observe(st TxStatus, err error) {
	t := c.tx
	switch {
	case t == nil && st == TxOpen:
		c.tx = new(Tx)
	case t == nil && st == TxLost:
		c.statement("ROLLBACK") // the session may have begun another one silently
	case t == nil, t.fate != open:
	case st == TxLost:
		t.fate, t.why = rolledBack, err
	case st == TxNone && t.byText():
		c.tx = nil
	case st == TxNone:
		t.end()
	}
}

// observeText is Observe after a text, or a part of it. If it failed and has cost the
// transaction, or its answer was lost, it may have committed the transaction first.
func (c *Conn) observeText(query string, err error) {
	t := c.tx
	wasOpen := t != nil && t.fate == open
	c.Observe(err)
	if !wasOpen || t != c.tx {
		return
	}
	switch {
	case t.fate == rolledBack && sqltext.MayCommit(query, c.dialect),
		t.fate == open && c.Lost(err) && (sqltext.MayCommit(query, c.dialect) || sqltext.Several(query, c.dialect)): // Several: a CALL, too
		t.end()
	}
}

// took notes what the text of a statement did to the transaction, where the database
// does not tell. It may not tell whether a transaction is open, or that it is another
// one than before. A procedure that commits and begins again is not noticed.
func (c *Conn) took(query string) {
	t := c.tx
	owned := t != nil && !t.byText()
	switch {
	case owned && (t.fate != open || !t.strict):
		return // in a sql.Tx everything goes on, as with the bare driver
	case !owned && c.reporter != nil:
		return
	}
	switch control := sqltext.ControlOf(query, c.dialect); {
	case control == sqltext.Keeps:
	case owned:
		t.end()
	case control == sqltext.Begins, control == sqltext.Chains:
		c.tx = new(Tx)
	case control == sqltext.Unclear:
	default:
		c.tx = nil
	}
}

// EndsWith says that the owner is about to roll back when ctx has ended. The thread's.
func (t *Tx) EndsWith(ctx context.Context) { t.ctx = ctx }

// Spoil makes a transaction one that can only be rolled back.
func (t *Tx) Spoil(why error) {
	if t.fate == open {
		t.fate, t.why = spoilt, why
	}
}

// refused returns why statements in the transaction are refused; nil if they are not.
// They would be carried out outside of it, or it cannot be committed.
func (t *Tx) refused() error {
	switch {
	case t.fate == rolledBack && t.why != nil:
		return fmt.Errorf("%w after: %w", ErrRolledBack, t.why)
	case t.fate == rolledBack:
		return ErrRolledBack
	case t.fate == spoilt:
		return fmt.Errorf("%w: %w", errSpoilt, t.why)
	case t.fate == ended && t.why != nil:
		return fmt.Errorf("%w: %w", ErrTxEnded, t.why)
	case t.fate == ended && t.strict:
		return ErrTxEnded
	}
	return nil
}

// refusedText is refused after the database has rolled back a transaction that a
// text had begun. A text ends the refusals if it first rolls back or begins a transaction.
// COMMIT alone does too, but is refused itself.
func (c *Conn) refusedText(query string) error {
	err := c.tx.refused()
	switch sqltext.FirstControlOf(query, c.dialect) { // what comes before a later one would be outside of any transaction
	case sqltext.Begins, sqltext.RollsBack:
		c.tx, err = nil, nil
	case sqltext.Commits:
		if !sqltext.Several(query, c.dialect) {
			c.tx = nil
		}
	}
	return err
}

// ErrInTransaction is returned by Begin on a connection with an open transaction,
// which some databases would commit.
var ErrInTransaction = errors.New("sqlaio: a transaction is open already on this connection: use it, or make a savepoint in it (WithNested, BeginNestedAsync)")

// Begin begins a transaction of the holder's. In a strict one, statements are also
// refused after a statement has ended it.
func (c *Conn) Begin(inner context.Context, h *Holder, opts driver.TxOptions, strict bool) (*Tx, error) {
	if c.inner == nil {
		return nil, driver.ErrBadConn
	}
	if c.busy != nil {
		return nil, c.busy
	}
	if c.taken(h, strict) {
		if err := c.Refused(); err != nil { // over, but its owner has not seen that yet
			return nil, err
		}
		return nil, ErrInTransaction
	}
	begin, err := c.beginning(inner, opts)
	if err != nil {
		return nil, err
	}
	itx, err := begin()
	if err != nil {
		c.Observe(err)
		return nil, err
	}
	t := &Tx{holder: h, inner: itx, strict: strict, readOnly: opts.ReadOnly}
	c.tx = t
	if c.reporter != nil {
		c.status = c.reporter.TxStatus(nil)
	}
	return t, nil
}

// taken reports whether there is a transaction that keeps another from beginning: some
// databases would commit it, and what has become of a strict one, or one whose statements
// are refused, must not be forgotten before its owner has ended it. A second Begin of the
// same sql.Conn is left to the driver if the database does not say that a transaction is open.
func (c *Conn) taken(h *Holder, strict bool) bool {
	t := c.tx
	if t == nil || t.byText() {
		return strict && c.InTx()
	}
	return t.strict || t.refused() != nil || t.fate == open && (c.status == TxOpen || strict || t.holder != h)
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

// Commit commits. If it fails, the transaction is no longer open, or the connection
// is dead.
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
	if c.tx != t { // ended, and another one has begun since
		t.fate = finished
		return nil
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
// database says that none is open.
func (c *Conn) rollBackFailed(t *Tx) {
	if c.dead || c.status == TxNone {
		return
	}
	err := t.inner.Rollback()
	if c.reporter == nil {
		if err != nil {
			c.proveNoTx(t)
		}
		return
	}
	if c.status = c.reporter.TxStatus(nil); c.status != TxNone {
		c.endByText()
	}
	c.tx = nil // Observe may have taken what was still open for one that a text has begun
}

// endByText rolls back what is open. If that fails the connection is dead.
func (c *Conn) endByText() {
	err := c.statement("ROLLBACK")
	if c.reporter == nil && err != nil || c.reporter != nil && c.status != TxNone {
		c.Kill()
	}
}

// Rollback rolls back. The error is the inner driver's, also for a transaction that
// the database has ended by itself. If the transaction cannot be ended, the connection
// is dead.
func (c *Conn) Rollback(t *Tx) (err error) {
	c.ending(t, func() {
		if t.byText() {
			c.endByText()
			return
		}
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
			c.proveNoTx(t)
		}
	})
	return err
}

// proveNoTx kills a connection that cannot tell whether a transaction is still open after
// a ROLLBACK that has failed. Drivers of SQLite have often rolled back before, and then it
// is over. Only SQLite refuses to begin in a transaction; others may commit it. After a
// read-only one the driver may not have got to make the connection writable.
func (c *Conn) proveNoTx(t *Tx) {
	if t.readOnly || c.dialect != sqltext.SQLite || c.statement("BEGIN") != nil || c.statement("ROLLBACK") != nil {
		c.Kill()
	}
}

// Firmly calls fn on the thread without interrupts. One that is under way is waited
// for and taken back first.
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

// ending ends a transaction with end, firmly. It does nothing if that was done before.
func (c *Conn) ending(t *Tx, end func()) {
	if t.fate == finished {
		return
	}
	t.fate = finished
	if c.tx != t { // another one has begun since the database or a statement ended it
		return
	}
	c.tx = nil
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
	if c.tx == nil || c.tx.byText() {
		return nil
	}
	return c.tx.refused()
}

// InTx reports whether a transaction is open, as the database says. If the database
// does not tell, the begins and ends on this connection do. The thread's.
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

// RolledBack reports whether a transaction that is over after a call that failed was
// rolled back, as far as can be told: it may have been committed otherwise. The thread's.
func (c *Conn) RolledBack() bool {
	if c.tx == nil {
		return c.status != TxNone // a statement has ended it
	}
	return c.tx.fate == rolledBack
}

// InTxNow is InTx as it was after the last call, for any goroutine.
func (c *Conn) InTxNow() bool { return c.inTx.Load() }
