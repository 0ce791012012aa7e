package pinned

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/internal/sqltext"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// A Conn is one inner connection and its thread. Fields without a note are set
// by Open and never change. What is "the thread's" may be used inside Run only.
type Conn struct {
	worker    *thread.Worker
	intr      Interrupter // nil: contexts go to the inner driver
	reporter  TxReporter  // nil: nobody can tell whether a transaction is open
	watcher   Watcher
	validator driver.Validator
	resetter  driver.SessionResetter
	pinger    driver.Pinger
	traits    Traits
	turns     *Turns // of the connector's connections
	memory    bool   // the connection holds a database of its own
	dialect   sqltext.Dialect
	dsn       *string // what it was opened with; a pointer, so that fmt does not print it; nil: not known
	tracers   *Tracers

	valid   atomic.Bool // what IsValid said after the last call; false also if killed, or left in a transaction
	owes    atomic.Bool // later is not empty
	inTx    atomic.Bool // what InTx said after the last call; the thread writes it
	unclean atomic.Bool // a transaction is open, or statements are refused after one; the thread writes it

	ownTurns atomic.Bool // see OwnTurns

	// firm is held by the thread while it ends a transaction, and by whoever
	// interrupts a call while it does.
	firm sync.Mutex

	mu    sync.Mutex
	later []func() // guarded by mu: functions that the thread calls before or after its next call

	noted struct { // for Noted
		sync.Mutex
		text string
	}

	// The thread's.
	inner   driver.Conn // nil once closed
	current *Call       // the innermost call that runs; nil: none
	stopped *stopping   // of the last call that was stopped; nil: settled
	holders list        // what faces have open
	late    []*Rows     // exhausted rows that are still to be closed
	tx      *Tx         // begun, and not yet finished or forgotten; nil: none
	status  TxStatus    // what the database said after the last call
	dead    bool        // the connection is of no more use
	killed  bool        // dead because of Kill, not of the driver
	turn    *Turn       // to write; nil: it is not this connection's
	writing int         // rows of writes that are open
	busy    error       // why it can do nothing else while some rows are open; nil: it can
	free    func()      // closes those rows
	noting  bool        // statements are noted
	guests  io.Closer   // what functions on the thread get their sql.Conns from; nil: none has run
}

// Work is what a call does. It is done on the thread, with the context that the
// inner driver gets.
type Work interface{ Do(inner context.Context) }

// Func is a function as Work.
type Func func(inner context.Context)

// Do calls f.
func (f Func) Do(inner context.Context) { f(inner) }

// Worker returns a branch of the connection's worker.
func (c *Conn) Worker() *thread.Worker { return c.worker.Branch() }

// OnThread reports whether the caller is on the connection's thread.
func (c *Conn) OnThread() bool { return c.worker.OnThread() }

// Stops reports whether calls can be stopped from outside. If not, the inner
// driver watches the contexts that it is given.
func (c *Conn) Stops() bool { return c.intr != nil }

// Traits returns what the adapter promised.
func (c *Conn) Traits() Traits { return c.traits }

// Dialect returns how the connection's statements are read.
func (c *Conn) Dialect() sqltext.Dialect { return c.dialect }

// Memory reports whether the database ends with the connection.
func (c *Conn) Memory() bool { return c.memory }

// DSN returns the data source name that the connection was opened with, or "" if
// that is not known. It may hold a password.
func (c *Conn) DSN() string {
	if c.dsn == nil {
		return ""
	}
	return *c.dsn
}

// Valid reports what the inner connection's IsValid said after its last call. A
// connection that was killed is not valid.
func (c *Conn) Valid() bool { return c.valid.Load() }

// Inner returns the inner connection. The thread's; nil once it is closed.
func (c *Conn) Inner() driver.Conn { return c.inner }

// Resets, Validates and Pings report whether the inner connection has the
// methods.
func (c *Conn) Resets() bool    { return c.resetter != nil }
func (c *Conn) Validates() bool { return c.validator != nil }
func (c *Conn) Pings() bool     { return c.pinger != nil }

// SetBusy says that the connection can do nothing else while some rows are open.
// Calls then fail with why. The end of a transaction calls free first, which closes
// the rows. A nil why says that they are closed. The thread's.
func (c *Conn) SetBusy(why error, free func()) { c.busy, c.free = why, free }

// Dead reports whether the connection is of no more use. The thread's.
func (c *Conn) Dead() bool { return c.dead || c.inner == nil }

// Kill makes the connection of no more use, unless it holds a database in memory. The
// thread's.
func (c *Conn) Kill() {
	if !c.memory {
		c.dead, c.killed = true, true
		c.valid.Store(false)
	}
}

// Drop kills the connection because its user says that it is bad. One that holds a
// database in memory is kept. Its transaction is rolled back, and its owner learns that
// as if the database had done it. The thread's.
func (c *Conn) Drop() {
	t := c.tx
	if t == nil || !c.memory {
		c.RollBackOpen()
		c.Kill()
		return
	}
	fate := t.fate
	if fate == open {
		fate = rolledBack
	}
	c.RollBackOpen()
	c.tx, t.fate = t, fate
}

// HangUp cuts the connection if its adapter can. It may be called from any goroutine
// and does not block.
func (c *Conn) HangUp() {
	if h, ok := c.intr.(HangUpper); ok {
		h.HangUp()
	}
}

// ReadsOnly reports whether stopping a query costs only its rows. A query of a view
// that calls a function that writes is not recognized.
func (c *Conn) ReadsOnly(query string) bool {
	if r, ok := c.intr.(Reader); ok {
		return r.ReadsOnly(query)
	}
	return sqltext.ReadsOnly(query, c.dialect)
}

// Later leaves fn, which closes something, to the thread. It may be called from any
// goroutine and does not wait. It is for callers who may hold a lock that the function
// on the thread wants.
func (c *Conn) Later(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.later = append(c.later, fn)
	c.owes.Store(true)
}

// Run carries out a call on the thread. It first settles what the last stopped call
// has left behind, and notes the connection's state afterwards. If the call was
// withdrawn it returns why; if it could not be made, the error. w may call Run itself. t
// may be nil: it learns when the work begins and ends.
func (c *Conn) Run(ctx context.Context, cl *Call, t *Trace, w Work) error {
	if err := c.settle(); err != nil {
		return err
	}
	return c.run(ctx, cl, t, w)
}

// RunClosing is Run for work that only closes something. The work is done even if the
// connection cannot be settled.
func (c *Conn) RunClosing(ctx context.Context, cl *Call, t *Trace, w Work) error {
	c.settle()
	return c.run(ctx, cl, t, w)
}

func (c *Conn) run(ctx context.Context, cl *Call, t *Trace, w Work) error {
	if len(c.late) > 0 {
		c.closeLate()
	}
	if c.owes.Load() {
		c.doLater()
	}
	if t != nil {
		t.begin()
	}
	if !cl.begin() {
		return cl.Stopped()
	}
	if c.intr != nil && ctx.Done() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	cl.outer, c.current = c.current, cl
	defer c.after(cl, t)
	w.Do(ctx)
	if t != nil {
		t.returned()
	}
	return nil
}

// after runs however the work ends: it may return, panic or call runtime.Goexit. What
// others have left to the thread comes last, since it may be to roll back what the call,
// or the closing of what it opened, has begun.
func (c *Conn) after(cl *Call, t *Trace) {
	c.current, cl.outer = cl.outer, nil
	if t != nil {
		t.done()
	}
	c.note()
	if !c.finish(cl, false) {
		c.closeOrphan(cl)
	}
	if c.owes.Load() {
		c.doLater()
		c.note()
	}
}

// closeOrphan closes what the call has opened for a waiter that has left. That can mean
// to read it to its end, which can begin a transaction. Only then is the call over.
func (c *Conn) closeOrphan(cl *Call) {
	defer c.finish(cl, true)
	defer c.note()
	cl.Orphan()
}

func (c *Conn) finish(cl *Call, closed bool) (over bool) {
	s, over := cl.finish(closed)
	if s != nil {
		c.stopped = s // the next call has to wait for it
	}
	return over
}

// note notes for other goroutines how the connection is.
func (c *Conn) note() {
	if c.validator != nil && c.inner != nil && !c.killed {
		c.valid.Store(c.validator.IsValid())
	}
	if open := c.InTx(); open != c.inTx.Load() {
		c.inTx.Store(open)
	}
	if taken := c.tx != nil || c.status == TxOpen; taken != c.unclean.Load() {
		c.unclean.Store(taken)
	}
	c.leaveTurn()
}

// settle takes back what may still come of the last call that was stopped.
func (c *Conn) settle() error {
	s := c.stopped
	if s == nil {
		return nil
	}
	<-s.done
	c.stopped = nil
	err := c.settleNow()
	if err != nil {
		c.stopped = s
	}
	return err
}

func (c *Conn) settleNow() error {
	if settler, ok := c.intr.(Settler); ok && c.inner != nil {
		return settler.Settle()
	}
	return nil
}

func (c *Conn) doLater() {
	c.mu.Lock()
	fns := c.later
	c.later = nil
	c.owes.Store(false)
	c.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

// Observe is called after each call of the inner driver, with its error. It notes what
// has become of the connection and its transaction.
func (c *Conn) Observe(err error) {
	if err != nil {
		c.dead = c.dead || errors.Is(err, driver.ErrBadConn)
		defer c.noteHit(err)
	}
	if c.reporter != nil && c.inner != nil {
		c.status = c.reporter.TxStatus(err)
		c.observe(c.status, err)
	}
}

// noteHit notes for the calls that are being stopped that the database has stopped
// them. A later error in the same call may say something else.
func (c *Conn) noteHit(err error) {
	for cl := c.current; cl != nil; cl = cl.outer {
		if cl.Stopped() != nil && c.intr != nil && c.intr.Interrupted(err) {
			cl.hit = err
		}
	}
}

// statement executes a statement of this package's own.
func (c *Conn) statement(text string) error {
	q := Request{Query: text}
	_, _, err := q.exec(context.Background(), c.inner)
	if c.reporter != nil {
		c.status = c.reporter.TxStatus(nil)
	}
	return err
}

// NeedsNoReset reports whether Reset would do nothing and return nil, as the adapter says.
// It may be called in any goroutine while nothing runs on the connection.
func (c *Conn) NeedsNoReset() bool {
	r, ok := c.intr.(Resetter)
	return ok && c.Valid() && r.NeedsNoReset()
}

// Reset does what the pool of database/sql does before it hands a connection to
// its next user. The thread's.
func (c *Conn) Reset(inner context.Context) error {
	if c.killed {
		return driver.ErrBadConn
	}
	if c.resetter == nil {
		return nil
	}
	err := c.resetter.ResetSession(inner)
	c.Observe(err)
	return err
}

// Ping asks the inner connection. The thread's.
func (c *Conn) Ping(inner context.Context) error {
	if c.inner == nil {
		return driver.ErrBadConn
	}
	if c.busy != nil {
		return c.busy
	}
	err := c.pinger.Ping(inner)
	c.Observe(err)
	return err
}

// Guests returns what SetGuests has set; nil if nothing was. The thread's.
func (c *Conn) Guests() io.Closer { return c.guests }

// SetGuests has something closed with the connection. The thread's.
func (c *Conn) SetGuests(g io.Closer) { c.guests = g }

// CloseInner closes the rows, the statements and the transaction, and then the
// connection. The thread's. Closing again does nothing.
func (c *Conn) CloseInner() error {
	if c.inner == nil {
		return nil
	}
	if c.guests != nil {
		c.guests.Close()
	}
	c.settle()
	c.closeHolders()
	inner := c.inner
	c.inner = nil
	c.dead = true
	defer c.leaveTurn()
	return inner.Close()
}

// closeAll is the last thing on the thread, however it ends.
func (c *Conn) closeAll() { c.CloseInner() }

// Quit ends the thread after the calls that wait. It may be called from any goroutine
// and does not wait.
func (c *Conn) Quit() { go c.worker.Quit() }

// QuitAndWait ends the thread after the calls that wait, and waits for its end.
func (c *Conn) QuitAndWait() { c.worker.Quit() }

// NewTask returns a task that will run job on the thread.
func (c *Conn) NewTask(job thread.Job) *thread.Task { return c.worker.NewTask(job) }

// OnOtherThread reports whether the caller is on another worker's thread.
func (c *Conn) OnOtherThread() bool { return c.worker.OnOtherThread() }

// Queued returns how many calls wait for the thread.
func (c *Conn) Queued() int { return c.worker.Queued() }
