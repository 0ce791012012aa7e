package overlay

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/goid"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// A Conn is one connection with a thread of its own, from ConnectAsync to
// CloseAsync. Any number of goroutines may call it. Its calls are made one at a time,
// in order. In a transaction only one goroutine at a time may have calls under way
// (ErrConcurrentTx). A Conn that is garbage collected without CloseAsync is closed,
// with a ResourceWarning.
type Conn struct {
	s      *session
	branch *Conn // what it is a branch of, kept from being collected; nil: it is none
	closed atomic.Bool
}

// session is the state that a Conn shares with its branches. It does not refer to
// the Conn, so an unused Conn can be collected.
type session struct {
	*queue
	e     *Engine
	lane  *lane
	lease *lease
	place site
	over  chan struct{} // closed when the connection has gone back

	leftOpen atomic.Bool // closing it has rolled back a transaction; the thread writes it

	waits atomic.Int32          // the engine's calls made in this Conn's scope that have not ended
	top   atomic.Pointer[level] // the innermost transaction; the thread writes it

	mu        sync.Mutex
	scopes    []*scope             // guarded by mu: those whose function runs, the one that began last is last
	underway  int                  // guarded by mu: calls in a transaction, or that begin one, that have not ended
	goroutine uintptr              // guarded by mu: the goroutine that made them
	begins    int                  // guarded by mu: how many of them begin a transaction
	ending    *Future[struct{}]    // guarded by mu: CloseAsync's
	cleanup   runtime.Cleanup      // guarded by mu: the Conn's, until ending is set
	guest     *face.Guest          // guarded by mu: SyncConn's; nil: not asked for
	levels    []*level             // guarded by mu: the open transactions, the outermost first
	streams   map[*stream]struct{} // guarded by mu: those that are open
}

func (c *Conn) target() (*queue, *session, error) {
	if c.closed.Load() {
		return c.s.queue, nil, ErrClosed
	}
	return c.s.queue, c.s, nil
}

// enter counts a call that begins a transaction or is made in one. It refuses a
// goroutine's call while another goroutine's is under way: it would become part of
// the other's transaction.
func (s *session) enter(o *callOptions) error {
	begins := o.begins
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.scopes); n > 0 && o.kind != ending {
		o.scope = s.scopes[n-1]
	}
	if !begins && s.begins == 0 && !s.lane.pc.InTxNow() || s.lane.pc.OnThread() { // on the thread it is part of a call that was counted
		return nil
	}
	id := goid.Get()
	if s.underway > 0 && s.goroutine != id {
		return ErrConcurrentTx
	}
	s.goroutine = id
	s.underway++
	if begins {
		s.begins++
	}
	o.ended = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.underway--
		if begins {
			s.begins--
		}
	}
	return nil
}

// SyncConn returns a sql.Conn on the connection, for blocking calls that are meant.
// They queue with the other calls. In a function of RunInThread, SyncConn returns the
// function's own sql.Conn. It need not be closed. After CloseAsync its calls fail with
// sql.ErrConnDone.
func (c *Conn) SyncConn() *sql.Conn {
	s := c.s
	if s.lane.pc.OnThread() && s.lane.function != nil {
		return s.lane.function
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.closed.Load() || s.ending != nil {
		g := newGuest(s.lane.pc)
		g.Refuse()
		return g.Conn
	}
	if s.guest == nil {
		g := newGuest(s.lane.pc)
		s.guest = &g
	}
	return s.guest.Conn
}

func newGuest(pc *pinned.Conn) face.Guest {
	g, err := face.NewGuest(pc)
	if err != nil {
		panic(fmt.Sprintf("overlay: a private pool has no connection: %v", err))
	}
	return g
}

// Branch returns a Conn that shares the connection. Closing it leaves the
// connection open; when that is closed, its branches are too.
func (c *Conn) Branch() *Conn {
	b := &Conn{s: c.s, branch: c}
	b.closed.Store(c.closed.Load())
	return b
}

// Closed reports whether CloseAsync was called.
func (c *Conn) Closed() bool { return c.closed.Load() || c.s.isClosed() }

// InTransaction reports whether a transaction is open, as of the calls that have
// ended. One that the text of a statement has begun counts. One that the database has
// rolled back by itself does not, where the database can say so.
func (c *Conn) InTransaction() bool { return c.s.lane.pc.InTxNow() }

// String describes the connection in one line.
func (c *Conn) String() string {
	state := "idle"
	switch {
	case c.Closed():
		state = "closed"
	case c.InTransaction():
		state = "in a transaction"
	}
	return fmt.Sprintf("overlay.Conn(%v, %s)", c.s.config.dialect, state)
}

// CloseAsync gives the connection back to the pool after the calls that wait. An
// open transaction is rolled back, and streams are closed. Later calls fail with
// ErrClosed. Closing again returns the same future. Closing a branch closes nothing
// else.
func (c *Conn) CloseAsync(ctx context.Context) *Future[struct{}] {
	c.closed.Store(true)
	if c.branch != nil {
		return completed(c.s.config, struct{}{}, nil)
	}
	return c.s.closeAsync()
}

func (s *session) closeAsync() *Future[struct{}] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return s.ending
	}
	f := &Future[struct{}]{core: core{origin: s.config, cancel: closing{s}}}
	s.ending = f
	s.cleanup.Stop()
	o := callOptions{kind: ending, quiet: true, tidy: true, closes: true, place: s.place, describe: "CloseAsync"}
	last := start(background, s.queue, o, func(_ context.Context, l *lane) (struct{}, error) {
		l.cleanUp()
		return struct{}{}, nil
	})
	last.whenDone(func() {
		// Not on the thread, which the pool may end.
		go func() {
			<-s.drained()
			s.end()
			f.settle(nil)
		}()
	})
	return f
}

// closing is the canceller of a Conn's and a stream's CloseAsync, which nothing stops.
type closing struct{ s *session }

func (closing) stop(error)                            {}
func (closing) ends() bool                            { return false }
func (closing) watch(*core, <-chan struct{}) bool     { return false }
func (c closing) stuck() (release func(), stuck bool) { return nil, c.s.lane.pc.OnThread() }

// end gives the connection back.
func (s *session) end() {
	if s.lane.lost.Load() {
		s.lease.drop()
	} else {
		s.lease.giveBack()
	}
	s.e.leases.mu.Lock()
	delete(s.e.leases.conns, s)
	s.e.leases.mu.Unlock()
	s.e.mu.Lock()
	delete(s.e.sessions, s)
	s.e.mu.Unlock()
	close(s.over)
}

// cleanUp leaves a Conn's connection as its next user wants it.
func (l *lane) cleanUp() {
	s := l.tx.s
	was := l.pc.InTx()
	s.mu.Lock()
	guest := s.guest
	s.mu.Unlock()
	if guest != nil {
		guest.End()
	}
	for _, v := range l.tx.levels {
		v.over.Store(true)
	}
	l.tx.set(nil)
	l.close()
	s.leftOpen.Store(l.pc.RollBackOpen() || was)
	if l.pc.Dead() || !l.pc.Valid() {
		l.lost.Store(true)
	}
}

// WithConn calls fn with a connection, and gives the connection back when fn
// returns or panics. It blocks until then. The error is fn's or that of connecting, or
// ErrTxLeftOpen if fn returns nil and has left a transaction open, which is rolled back.
func (e *Engine) WithConn(ctx context.Context, fn func(ctx context.Context, c *Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	after, err := waits(ctx, "Engine.WithConn")
	if err != nil {
		return err
	}
	defer after()
	var s *session
	err = e.withConn(ctx, caller(e.config), func(ctx context.Context, c *Conn) error {
		s = c.s
		return fn(ctx, c)
	})
	if err == nil && s.leftOpen.Load() {
		return pinned.ErrTxLeftOpen
	}
	return err
}

func (e *Engine) withConn(ctx context.Context, place site, fn func(ctx context.Context, c *Conn) error) error {
	f := e.connectAsync(ctx, place)
	c, err := f.Await(reflectguard.MayBlock(ctx))
	if err != nil {
		f.Cancel()
		f.whenDone(func() {
			if f.err == nil {
				f.value.CloseAsync(background)
			}
		})
		return err
	}
	defer func() { c.settled(ctx, &c.CloseAsync(background).core) }()
	return fn(ctx, c)
}

// waits warns if a method blocks where nothing may block. The method calls after
// when it returns. On an error it must not block.
func waits(ctx context.Context, what string) (after func(), err error) {
	after, err = reflectguard.Wait(ctx, what)
	if after == nil {
		after = func() {}
	}
	return after, err
}

// settled waits for a call of the connection that nothing stops, until pinned.Grace
// after ctx's end, and reports whether it is complete. If the thread is busy with a
// call that was left, it waits only until ctx's end: Grace was waited for already.
func (c *Conn) settled(ctx context.Context, f *core) bool {
	select {
	case <-f.done():
		return true
	case <-ctx.Done():
	}
	grace := pinned.Grace
	if busy := c.s.lane.current.Load(); busy != nil && busy.pinned.Left() {
		grace = 0
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-f.done():
		return true
	case <-timer.C:
		return false
	}
}
