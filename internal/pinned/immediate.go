package pinned

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A KeyChecker is an Interrupter of a database with deferred foreign keys.
type KeyChecker interface {
	// Unresolved reports whether the open transaction could not be committed now
	// because of a foreign key. It is called on the thread.
	Unresolved() bool
}

// Unresolved reports what the adapter's KeyChecker does; false if it has none. The
// thread's.
func (c *Conn) Unresolved() bool {
	k, ok := c.intr.(KeyChecker)
	return ok && c.inner != nil && k.Unresolved()
}

// ErrControl is the error of a statement that would begin or end a transaction that
// several callers share.
var ErrControl = errors.New("sqlaio: a statement of a group cannot begin or end a transaction (BEGIN, COMMIT or ROLLBACK in its text)")

// BeginImmediate begins a strict transaction of the holder's that has SQLite's write
// lock, whatever the driver itself begins with. In a guarded one, texts that begin or
// end a transaction are refused.
func (c *Conn) BeginImmediate(ctx context.Context, h *Holder, guarded bool) (*Tx, error) {
	switch {
	case c.inner == nil:
		return nil, driver.ErrBadConn
	case c.busy != nil:
		return nil, c.busy
	case c.taken(h, true):
		return nil, ErrInTransaction
	}
	if c.takesTurns() {
		if err := c.takeTurn(ctx); err != nil {
			return nil, err
		}
	}
	if err := (textTx{c.inner}).run("BEGIN IMMEDIATE"); err != nil {
		c.Observe(err)
		return nil, err
	}
	t := &Tx{holder: h, inner: textTx{c.inner}, strict: true, guarded: guarded}
	c.tx = t
	if c.reporter != nil {
		c.status = c.reporter.TxStatus(nil)
	}
	return t, nil
}

// LostTo returns the error of the statement that has cost the open transaction; nil if
// there is none. The thread's.
func (c *Conn) LostTo() error {
	if c.tx == nil || c.tx.fate == open {
		return nil
	}
	return c.tx.why
}

// guards reports whether a guarded transaction refuses a text.
func (t *Tx) guards(query string) bool {
	return t != nil && t.guarded && sqltext.ControlOf(query, sqltext.SQLite) != sqltext.Keeps
}
