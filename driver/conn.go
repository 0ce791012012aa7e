package driver

import (
	"context"
	"database/sql/driver"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// conn is the shim of one inner connection. Like every driver.Conn it serves
// one call at a time, which database/sql sees to; the
// interrupts of a call come from the goroutine that waits for it.
type conn struct {
	link    *link
	inner   driver.Conn // its methods are the thread's; its type is anybody's
	traits  Traits
	opts    *options
	cleanup runtime.Cleanup

	_         line
	closed    bool               // the caller's
	tx        *tx                // the caller's: the transaction that is open
	stmts     map[*stmt]struct{} // the caller's: those that are open
	execution execution          // the caller's, and the thread's during an Exec

	// skip is the caller's: a statement that was prepared within a call has
	// returned ErrSkip. database/sql answers ErrSkip by preparing the statement
	// itself; since that has been done, its attempt gets the same error, which
	// so arrives as it would from the bare driver.
	skip bool

	_         line
	late      []*rows      // the thread's: exhausted rows, to be closed once the caller has closed them
	open      atomic.Int32 // inner rows that are open; the thread writes it
	valid     atomic.Bool  // what IsValid said after the last call; the thread writes it
	unsettled atomic.Bool  // an interrupt was sent; set by the caller, cleared by the thread
	occupied  atomic.Bool  // a function of the application's runs; the thread writes it

	owes atomic.Bool // postponed is not empty

	// firm is held while a transaction is ended on the thread, and by a Handle's
	// interrupts, so that none reaches the COMMIT or ROLLBACK.
	firm sync.Mutex

	mu        sync.Mutex
	postponed []func() error // guarded by mu: what closing has left to the next call
}

// line keeps what the caller and the thread write on different cache lines.
type line [64]byte

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// newConn returns the conn for an open link, with the interfaces whose absence
// database/sql can see.
func newConn(ctor *connector, l *link) driver.Conn {
	c := &conn{link: l, inner: l.inner, traits: ctor.traits, opts: ctor.opts}
	c.valid.Store(true)
	c.cleanup = runtime.AddCleanup(c, (*link).abandon, l)
	_, resets := c.inner.(driver.SessionResetter)
	_, validates := c.inner.(driver.Validator)
	switch {
	case resets && validates:
		return struct {
			*conn
			resetter
			validator
		}{c, resetter{c}, validator{c}}
	case resets:
		return struct {
			*conn
			resetter
		}{c, resetter{c}}
	case validates:
		return struct {
			*conn
			validator
		}{c, validator{c}}
	}
	return c
}

// self lets Raw find the conn behind each of newConn's types.
func (c *conn) self() *conn { return c }

type resetter struct{ c *conn }

// ResetSession is the one call that cannot ride along with another: its answer
// decides whether there is another.
func (r resetter) ResetSession(ctx context.Context) error {
	return r.c.do(ctx, func(ctx context.Context) error {
		return r.c.inner.(driver.SessionResetter).ResetSession(ctx)
	})
}

type validator struct{ c *conn }

// IsValid answers with what the inner connection said after its last call.
func (v validator) IsValid() bool { return v.c.valid.Load() }

// closeLate closes the late rows that the caller has closed. It runs on the
// thread before each call.
func (c *conn) closeLate() {
	kept := c.late[:0]
	for _, r := range c.late {
		if r.stop.Load() {
			r.closeInner()
		} else {
			kept = append(kept, r)
		}
	}
	clear(c.late[len(kept):])
	c.late = kept
	if c.owes.Load() {
		c.closePostponed()
	}
}

// occupy runs a function of the application's on the thread, which may make
// calls of its own, inline. When a context in them ends, database/sql closes
// rows and transactions from another goroutine and holds locks meanwhile that
// the function may want next: such a close must not wait for the function.
func (c *conn) occupy(fn func()) {
	if c.occupied.Load() { // inside another
		fn()
		return
	}
	c.occupied.Store(true)
	defer func() {
		c.occupied.Store(false)
		c.closePostponed()
	}()
	fn()
}

func (c *conn) postpone(fn func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postponed = append(c.postponed, fn)
	c.owes.Store(true)
}

// closePostponed closes on the thread what was left to it.
func (c *conn) closePostponed() {
	c.mu.Lock()
	fns := c.postponed
	c.postponed = nil
	c.owes.Store(false)
	c.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

// settle takes back what may still come of the interrupts so far. It runs on
// the thread before each call that does more than to close.
func (c *conn) settle() error {
	if !c.unsettled.Load() {
		return nil
	}
	c.unsettled.Store(false)
	s, ok := c.link.intr.(Settler)
	if !ok {
		return nil
	}
	err := s.Settle()
	if err != nil {
		c.unsettled.Store(true)
	}
	return err
}

// CheckNamedValue accepts everything: the real check is made on the thread, in
// the call that uses the value.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *conn) Ping(ctx context.Context) error {
	p, ok := c.inner.(driver.Pinger)
	if !ok {
		return nil
	}
	return c.blocking(ctx, "", p.Ping)
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.skip {
		c.skip = false
		return nil, driver.ErrSkip
	}
	if err := c.ended(); err != nil {
		return nil, err
	}
	s := &stmt{c: c, query: query}
	err := c.blocking(ctx, query, func(inner context.Context) (err error) {
		s.inner, err = prepare(inner, c.inner, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	if c.stmts == nil {
		c.stmts = make(map[*stmt]struct{})
	}
	c.stmts[s] = struct{}{}
	return s, nil
}

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx returns the transaction if it was begun, however late: to report a
// transaction that is open as not begun would leave it open. One whose context
// has ended and that database/sql is about to roll back is rolled back first,
// for some databases commit the old transaction when a new one begins.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.ended() != nil {
		c.tx.Rollback()
	}
	t := &tx{c: c, ctx: ctx}
	err := c.blocking(ctx, "", func(inner context.Context) (err error) {
		t.inner, err = begin(inner, c.inner, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.tx = t
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

// Close closes the inner connection on its thread, and then ends the thread,
// even if closing failed. Statements that are open are closed first: later there
// is no thread to do it on. Closing twice does nothing.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.cleanup.Stop()
	if c.occupied.Load() && !c.link.worker.OnThread() {
		// The function may want a lock that database/sql holds for this Close: nobody
		// waits for it here.
		defer func() { go c.link.worker.Quit() }()
	} else {
		defer c.link.worker.Quit()
	}
	return c.closing(func() error {
		for s := range c.stmts {
			s.inner.Close()
		}
		c.link.inner = nil // the thread's end has nothing left to close
		return c.inner.Close()
	})
}
