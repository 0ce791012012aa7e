package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/threadpin"
)

// A Handle makes calls on a connection from the connection's own thread, past
// database/sql: for code that hands whole functions to the thread and does not wait
// for them, as package overlay does. All methods but Worker,
// CanInterrupt, Interrupt, Interrupted and Drop must be called on the thread, and
// none after the sql.Conn was closed. Errors are the inner driver's; after
// driver.ErrBadConn the connection is of no more use, and Drop should follow.
type Handle struct {
	c  *conn
	sc *sql.Conn
}

// HandleOf returns the handle of a connection of an aio pool, or ErrNotAio.
func HandleOf(sc *sql.Conn) (*Handle, error) {
	var h *Handle
	err := withConn(sc, func(c *conn) error {
		h = &Handle{c: c, sc: sc}
		return nil
	})
	return h, err
}

// Worker returns the connection's worker, as Thread does.
func (h *Handle) Worker() *threadpin.Worker { return h.c.link.worker.Branch() }

// CanInterrupt reports whether calls can be interrupted from outside. If not,
// the inner driver watches the contexts that it is given.
func (h *Handle) CanInterrupt() bool { return h.c.link.intr != nil }

// Interrupt asks the database to stop what runs on the connection. The caller
// must see to it that the call it means cannot return before Interrupt does.
func (h *Handle) Interrupt(ctx context.Context) {
	if !h.c.firm.TryLock() {
		return // a transaction is being ended: ask again
	}
	defer h.c.firm.Unlock()
	h.c.link.intr.Interrupt(context.WithoutCancel(ctx))
	h.c.unsettled.Store(true)
}

// Interrupted reports whether err, or an error that it wraps, is how the
// driver reports a call that Interrupt stopped.
func (h *Handle) Interrupted(err error) bool {
	if err == nil || h.c.link.intr == nil {
		return false
	}
	if h.c.link.intr.Interrupted(err) {
		return true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return h.Interrupted(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if h.Interrupted(err) {
				return true
			}
		}
	}
	return false
}

// MayAbandon reports whether Interrupt may stop that query only because nobody wants
// its rows any more. A write's interrupt can cost the whole transaction.
func (h *Handle) MayAbandon(query string) bool {
	r, picky := h.c.link.intr.(Reader)
	return h.CanInterrupt() && (!picky || r.ReadsOnly(query))
}

// Firmly runs fn, which ends a transaction or savepoint: Interrupt does nothing
// meanwhile.
func (h *Handle) Firmly(fn func()) { h.c.firmly(fn) }

// Inner returns the inner connection.
func (h *Handle) Inner() driver.Conn { return h.c.inner }

// FreshBytes reports whether []byte values of rows need no copy.
func (h *Handle) FreshBytes() bool { return h.c.traits.FreshBytes }

// Exec executes as ExecContext of database/sql would.
func (h *Handle) Exec(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return h.exec(ctx, request{query: query, args: args})
}

func (h *Handle) exec(ctx context.Context, q request) (r driver.Result, err error) {
	err = h.c.inline(func() error {
		r, _, err = q.exec(ctx, h.c.inner)
		return err
	})
	return r, err
}

// Query queries as QueryContext of database/sql would. The rows are the inner
// driver's.
func (h *Handle) Query(ctx context.Context, query string, args []driver.NamedValue) (rs driver.Rows, err error) {
	err = h.c.inline(func() error {
		var s driver.Stmt
		q := request{query: query, args: args}
		if rs, s, _, err = q.rows(ctx, h.c.inner); err != nil {
			return err
		}
		h.c.open.Add(1)
		rs = &handleRows{Rows: rs, c: h.c, stmt: s}
		return nil
	})
	return rs, err
}

// Begin begins a transaction as BeginTx of database/sql would. What it returns must
// be used on the thread too. The sql.Conn knows nothing of it.
func (h *Handle) Begin(ctx context.Context, opts driver.TxOptions) (tx driver.Tx, err error) {
	err = h.c.inline(func() error {
		inner, err := begin(ctx, h.c.inner, opts)
		tx = &handleTx{h.c, inner}
		return err
	})
	return tx, err
}

type handleTx struct {
	c     *conn
	inner driver.Tx
}

func (t *handleTx) Commit() error   { return t.c.inline(t.inner.Commit) }
func (t *handleTx) Rollback() error { return t.c.inline(t.inner.Rollback) }

// Prepare prepares a statement for Exec.
func (h *Handle) Prepare(ctx context.Context, query string) (s *HandleStmt, err error) {
	err = h.c.inline(func() error {
		inner, err := prepare(ctx, h.c.inner, query)
		s = &HandleStmt{h: h, inner: inner}
		return err
	})
	return s, err
}

// A HandleStmt is a statement that Handle.Prepare has made.
type HandleStmt struct {
	h     *Handle
	inner driver.Stmt
}

// Exec executes the statement.
func (s *HandleStmt) Exec(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.h.exec(ctx, request{stmt: s.inner, args: args})
}

// Close closes the statement.
func (s *HandleStmt) Close() error { return s.inner.Close() }

// Occupy runs fn, which may make calls on the sql.Conn: inline, since it is on
// their thread.
func (h *Handle) Occupy(fn func()) { h.c.occupy(fn) }

// Usable reports whether the pool lets the connection be used further. It rolls back a
// transaction of database/sql's whose context has ended: the rollback on its way from
// another goroutine would come after the next call, and the pool drops the connection then.
// It must be called in an Occupy.
func (h *Handle) Usable() bool {
	usable := true
	err := withConn(h.sc, func(c *conn) error {
		if c.ended() != nil {
			usable = false
			c.tx.Rollback()
		}
		return nil
	})
	return usable && err == nil
}

// Drop makes the pool close the connection. The sql.Conn has to be closed all
// the same. It waits for locks of database/sql's, which may wait for the thread,
// so it must not be called there.
func (h *Handle) Drop() { h.sc.Raw(func(any) error { return driver.ErrBadConn }) }

// inline does on the thread, for a call of a Handle, what every hop does.
func (c *conn) inline(work func() error) error {
	if c.link.inner == nil { // database/sql has closed it meanwhile
		return driver.ErrBadConn
	}
	c.closeLate()
	if err := c.settle(); err != nil {
		return err
	}
	err := work()
	if v, ok := c.inner.(driver.Validator); ok {
		c.valid.Store(v.IsValid())
	}
	return err
}

// handleRows are inner rows together with the statement made for them.
type handleRows struct {
	driver.Rows
	c      *conn
	stmt   driver.Stmt
	closed bool
}

func (r *handleRows) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.c.open.Add(-1)
	err := r.Rows.Close()
	if r.stmt != nil {
		r.stmt.Close()
	}
	return err
}

// HasNextResultSet and NextResultSet make handleRows a RowsNextResultSet.
func (r *handleRows) HasNextResultSet() bool {
	n, ok := r.Rows.(driver.RowsNextResultSet)
	return ok && n.HasNextResultSet()
}

// NextResultSet goes to the next result set.
func (r *handleRows) NextResultSet() error { return r.Rows.(driver.RowsNextResultSet).NextResultSet() }
