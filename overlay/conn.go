package overlay

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/reflectguard"
)

// A Conn is one connection with a thread of its own, from ConnectAsync to
// CloseAsync. Its calls are made one at a time, in the order in which
// they were asked for, by any number of goroutines; a transaction is for one of them
// at a time (ErrConcurrentTx). One that is garbage collected without CloseAsync is
// closed, with a ResourceWarning.
type Conn struct {
	s      *session
	branch *Conn // the one that it is a branch of, which it keeps from being collected; nil: none
	closed atomic.Bool
}

// session is the state that a Conn shares with its branches. It does not know the
// Conn, so that one that nobody uses any more is found.
type session struct {
	*pool
	e     *Engine
	lane  *lane
	place site
	over  chan struct{} // closed when the connection has gone back

	inTx atomic.Bool // mirrors the lane's tx; the thread writes it

	mu        sync.Mutex
	underway  int               // guarded by mu: calls in a transaction that have not ended
	goroutine int64             // guarded by mu: which goroutine made them
	ending    *Future[struct{}] // guarded by mu: CloseAsync's
}

// ConnectAsync takes a connection out of the pool for the caller's own use. Wait
// with CloseAsync for its return. ctx bounds the connecting alone.
func (e *Engine) ConnectAsync(ctx context.Context) *Future[*Conn] {
	f := new(Future[*Conn])
	f.origin, f.place = e.config, caller(e.config)
	ctx, cancel := context.WithCancel(reflectguard.MayBlock(ctx)) // the goroutine below may
	e.mu.Lock()
	closing := e.done != nil
	if !closing {
		e.connecting.Add(1)
	}
	e.mu.Unlock()
	if closing {
		cancel()
		f.settle(ErrClosed)
		return f
	}
	f.cancel = stopper(cancel)
	stop := context.AfterFunc(e.ctx, cancel)
	go func() { // opening a connection waits for the pool, and for the new thread
		s, err := e.openSession(ctx, f.place)
		stop()
		if err == nil && ctx.Err() != nil { // nobody would close it
			s.closeAsync() // by Shutdown perhaps too
			<-s.over
			err = ctx.Err()
		}
		cancel()
		if err == nil {
			f.value = newConn(s)
		} else if e.ctx.Err() != nil {
			err = ErrClosed
		}
		e.connecting.Done() // before callbacks, which may wait for Shutdown
		f.settle(err)
	}()
	return f
}

// stopper cancels a context.
type stopper context.CancelFunc

func (s stopper) stop(error)                        { s() }
func (stopper) watch(*core, <-chan struct{}) bool   { return false }
func (stopper) stuck() (release func(), stuck bool) { return nil, false }

func (e *Engine) openSession(ctx context.Context, place site) (*session, error) {
	p := &pool{config: e.config, most: 1, opening: 1}
	l, err := e.connect(ctx, p)
	if err != nil {
		return nil, err
	}
	s := &session{pool: p, e: e, lane: l, place: place, over: make(chan struct{})}
	l.tx.changed = s.inTx.Store
	e.mu.Lock()
	closing := e.done != nil
	if !closing {
		e.sessions[s] = struct{}{}
	}
	e.mu.Unlock()
	if closing {
		l.sc.Close()
		return nil, ErrClosed
	}
	p.add(l)
	return s, nil
}

func (c *Conn) target() (*pool, *session, error) {
	if c.closed.Load() {
		return c.s.pool, nil, ErrClosed
	}
	return c.s.pool, c.s, nil
}

// enter counts a call in a transaction, and returns how its end is told; nil
// outside of one, where nothing is counted.
func (s *session) enter() (leave func(), err error) {
	if !s.inTx.Load() || s.lane.w.OnThread() { // there the call is part of one that was counted
		return nil, nil
	}
	id := goroutineID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.underway > 0 && s.goroutine != id {
		return nil, ErrConcurrentTx
	}
	s.goroutine = id
	s.underway++
	return s.leave, nil
}

func (s *session) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underway--
}

// SyncConn returns the sql.Conn: the way to make blocking calls on purpose. They
// queue with the others; while a function of RunInThread's runs there, only it may
// make them, for database/sql locks the connection. It must not be closed.
func (c *Conn) SyncConn() *sql.Conn { return c.s.lane.sc }

// Branch returns a Conn that shares the connection. Closing it leaves the
// connection open; when that is closed, its branches are too.
func (c *Conn) Branch() *Conn {
	b := &Conn{s: c.s, branch: c}
	b.closed.Store(c.closed.Load())
	return b
}

// Closed reports whether CloseAsync was called.
func (c *Conn) Closed() bool { return c.closed.Load() || c.s.isClosed() }

// InTransaction reports whether a transaction is open, as far as the calls that have
// ended tell: also one begun with a BEGIN of the application's, and not any more
// one that the database has rolled back by itself, on databases that can say so.
func (c *Conn) InTransaction() bool { return c.s.inTx.Load() }

// CloseAsync gives the connection back to the pool after the calls that wait. A
// transaction that is open is rolled back, results are closed. Later calls fail
// with ErrClosed. Closing again returns the same future's result; closing a branch
// closes nothing else.
func (c *Conn) CloseAsync(ctx context.Context) *Future[struct{}] {
	if c.branch != nil {
		c.closed.Store(true)
		return completed(c.s.config, struct{}{}, nil)
	}
	c.closed.Store(true)
	return c.s.closeAsync()
}

func (s *session) closeAsync() *Future[struct{}] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return s.ending
	}
	s.ending = &Future[struct{}]{core: core{origin: s.config}}
	f := s.ending
	last := start(background, s.pool, callOptions{kind: firm, quiet: true, tidy: true, closes: true}, func(_ context.Context, l *lane) (struct{}, error) {
		l.cleanUp()
		return struct{}{}, nil
	})
	s.close(ErrClosed) // if it was made on the spot
	last.whenDone(func() {
		// Not on the thread, which the pool may end.
		go func() {
			last.result()
			<-s.drained()
			s.end()
			f.settle(nil)
		}()
	})
	return f
}

// end gives the connection back.
func (s *session) end() {
	if s.lane.dead {
		s.lane.w.Run(background, s.lane.h.Drop)
	}
	s.lane.sc.Close()
	s.e.mu.Lock()
	delete(s.e.sessions, s)
	s.e.mu.Unlock()
	close(s.over)
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed != nil
}

// WithConn calls fn with a connection, and gives the connection back when fn
// returns or panics. It blocks until then, and returns fn's error or that of
// connecting.
func (e *Engine) WithConn(ctx context.Context, fn func(ctx context.Context, c *Conn) error) error {
	c, err := e.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		return err
	}
	defer func() { c.CloseAsync(background).Await(background) }()
	return fn(ctx, c)
}
