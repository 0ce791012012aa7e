package pinned

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A Teller is an Interrupter that can tell what statements have done to the open
// transaction. Its methods are called on the thread.
type Teller interface {
	// Unresolved reports whether the transaction could not be committed now because of
	// a foreign key.
	Unresolved() bool

	// Changes returns how many rows were changed so far on the connection. A statement
	// that fails and has kept nothing does not add to them, unless it has a trigger.
	Changes() (n int, known bool)
}

// Unresolved reports what the adapter's Teller does; false if it has none. The thread's.
func (c *Conn) Unresolved() bool {
	t, ok := c.intr.(Teller)
	return ok && c.inner != nil && t.Unresolved()
}

// Changes returns what the adapter's Teller does. The thread's.
func (c *Conn) Changes() (n int, known bool) {
	t, ok := c.intr.(Teller)
	if !ok || c.inner == nil {
		return 0, false
	}
	return t.Changes()
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
