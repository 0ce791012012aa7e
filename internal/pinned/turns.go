package pinned

import (
	"context"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// Turns is which of a connector's connections may write to their database: one at a
// time, first come first served. Its zero value lets all write, until Enforce is called.
// Then a connection waits for its turn before a statement that may write or a
// transaction that may, and keeps it until no transaction and no rows of a write are open.
// All methods may be called from any goroutine.
type Turns struct {
	itself atomic.Pointer[func(context.Context, *Conn) bool] // see Enforce; nil: turns are not enforced

	mu      sync.Mutex
	taken   *Turn   // guarded by mu; nil: nobody writes
	waiting []*Turn // guarded by mu
}

// A Turn is one connection's, from Ask to Leave.
type Turn struct {
	Granted chan struct{} // closed when it is the asker's turn
	c       *Conn
	since   time.Time
}

// ErrReadOnlyTx is the error of a statement that may write in a transaction that only
// reads.
var ErrReadOnlyTx = errors.New("sqlaio: the transaction is read-only")

// Enforce has connections wait for their turns. itself reports whether a call with a
// context is made in something that holds c.
func (s *Turns) Enforce(itself func(ctx context.Context, c *Conn) bool) { s.itself.Store(&itself) }

// Ask queues for a turn. Leave must be called in the end.
func (s *Turns) Ask(c *Conn) *Turn {
	t := &Turn{make(chan struct{}), c, time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, t)
	s.admit()
	return t
}

// Leave ends a turn, or gives up waiting for it.
func (s *Turns) Leave(t *Turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == t {
		s.taken = nil
	}
	for i := range s.waiting {
		if s.waiting[i] == t {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			break
		}
	}
	s.admit()
}

// admit gives the next one its turn. It needs mu.
func (s *Turns) admit() {
	if s.taken == nil && len(s.waiting) > 0 {
		s.taken = s.waiting[0]
		s.waiting = s.waiting[1:]
		close(s.taken.Granted)
	}
}

// Before reports whether somebody waits who came before since.
func (s *Turns) Before(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 && s.waiting[0].since.Before(since)
}

// Holds reports whether a call with a context is made in something that holds the
// turn.
func (s *Turns) Holds(ctx context.Context) bool {
	itself := s.itself.Load()
	if itself == nil {
		return false
	}
	s.mu.Lock()
	taken := s.taken
	s.mu.Unlock()
	return taken != nil && (*itself)(ctx, taken.c)
}

// Turns returns the turns of the connector's connections.
func (c *Conn) Turns() *Turns { return c.turns }

// OwnTurns says whether the connection's user asks for turns itself, or has no need to.
// It may be called while no call runs.
func (c *Conn) OwnTurns(own bool) { c.ownTurns.Store(own) }

// A Patient is an Interrupter of a database whose calls wait for locks.
type Patient interface {
	// WaitForLocks says whether waits end only when their call is stopped. Else they
	// end after a time. It may be called from any goroutine.
	WaitForLocks(always bool)
}

// WaitForLocks does what the adapter's Patient does; nothing if it has none. It may be
// called from any goroutine.
func (c *Conn) WaitForLocks(always bool) {
	if p, ok := c.intr.(Patient); ok {
		p.WaitForLocks(always)
	}
}

// HoldsTurn reports whether it is the connection's turn to write. It may be called from
// any goroutine.
func (c *Conn) HoldsTurn() bool {
	c.turns.mu.Lock()
	defer c.turns.mu.Unlock()
	return c.turns.taken != nil && c.turns.taken.c == c
}

// takesTurns reports whether the connection waits for its turn to write.
func (c *Conn) takesTurns() bool { return c.turns.itself.Load() != nil && !c.ownTurns.Load() }

// mayWrite waits for the connection's turn if a text may write.
func (c *Conn) mayWrite(ctx context.Context, query string) error {
	if !c.takesTurns() || !sqltext.MayWrite(query) {
		return nil
	}
	if c.tx != nil && c.tx.readOnly {
		return ErrReadOnlyTx
	}
	return c.takeTurn(ctx)
}

// takeTurn waits for the connection's turn, unless it has it, or the call is stopped.
func (c *Conn) takeTurn(ctx context.Context) error {
	if c.turn != nil {
		return nil
	}
	t := c.turns.Ask(c)
	select {
	case <-t.Granted:
	default:
		if c.turns.Holds(ctx) {
			c.turns.Leave(t)
			return ErrWouldDeadlock
		}
		if cause := c.waitUnlessStopped(t.Granted); cause != nil {
			c.turns.Leave(t)
			return cause
		}
	}
	c.turn = t
	return nil
}

// leaveTurn ends the connection's turn if it writes nothing now.
func (c *Conn) leaveTurn() {
	if c.turn != nil && (c.inner == nil || c.status != TxOpen && c.writing == 0) {
		c.turns.Leave(c.turn)
		c.turn = nil
	}
}

// waitUnlessStopped waits for a channel to be closed. If one of the calls that run is
// stopped first, it returns why.
func (c *Conn) waitUnlessStopped(done <-chan struct{}) error {
	w := &stopWait{ch: make(chan struct{})}
	for cl := c.current; cl != nil; cl = cl.outer {
		cl.wait.Store(w)
		defer cl.wait.Store(nil)
		if cl.stop.Load() != nil { // before it could see w
			w.end()
		}
	}
	select {
	case <-done:
		return nil
	case <-w.ch:
	}
	for cl := c.current; cl != nil; cl = cl.outer {
		if cause := cl.Stopped(); cause != nil {
			return cause
		}
	}
	return context.Canceled
}

// A stopWait is a wait of the thread's that ends when a call is stopped.
type stopWait struct {
	once sync.Once
	ch   chan struct{}
}

func (w *stopWait) end() { w.once.Do(func() { close(w.ch) }) }

// textTx is a transaction that texts begin and end, whatever the driver begins with.
type textTx struct{ c driver.Conn }

func (t textTx) run(text string) error {
	q := Request{Query: text}
	_, _, err := q.exec(context.Background(), t.c)
	return err
}

func (t textTx) Commit() error   { return t.run("COMMIT") }
func (t textTx) Rollback() error { return t.run("ROLLBACK") }

// beginning returns how a transaction begins, and waits for the connection's turn if it
// may write. If turns are enforced, one that only reads takes no lock when it begins.
func (c *Conn) beginning(ctx context.Context, opts driver.TxOptions) (func() (driver.Tx, error), error) {
	switch {
	case !c.takesTurns() && !(opts.ReadOnly && c.turns.itself.Load() != nil):
	case opts.ReadOnly:
		return func() (driver.Tx, error) { return textTx{c.inner}, textTx{c.inner}.run("BEGIN DEFERRED") }, nil
	default:
		if err := c.takeTurn(ctx); err != nil {
			return nil, err
		}
	}
	return func() (driver.Tx, error) { return begin(ctx, c.inner, opts) }, nil
}
