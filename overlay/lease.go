package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/pinned"
)

// leases are the connections that an engine has out of its sql.DB: its lanes' and
// its Conns'. They are handed out first come first served, since database/sql
// picks at random among those who wait.
type leases struct {
	db      *sql.DB
	writer  *writer                         // nil: the engine has none
	limit   atomic.Int64                    // db's MaxOpenConns as it was last seen; 0: none
	wanted  atomic.Int64                    // how many wait; a busy lane looks at it between two calls
	release func(time.Duration) (left bool) // gives back lanes that have been idle for that long

	mu      sync.Mutex
	held    int                   // out, and being opened
	waiting []*waiter             // guarded by mu
	conns   map[*session]struct{} // guarded by mu: of these, the Conns'
	blocked map[*lane]int         // guarded by mu: lanes whose functions wait for another connection, and how often
	looking bool                  // guarded by mu: look is going to run
}

// waiter is one who waits for a lease.
type waiter struct{ turn chan struct{} }

// A lease is a connection taken out of the pool. It goes back, or is dropped, in
// an ordinary goroutine.
type lease struct {
	from   *leases
	sc     *sql.Conn
	pc     *pinned.Conn
	reused bool      // it came from those that the pool keeps
	since  time.Time // when it was taken
}

const (
	// leaseTime is how long a busy lane keeps its connection: then the pool's
	// limits on age apply to it.
	leaseTime = time.Second
	// linger is how long an idle lane keeps its connection.
	linger = 100 * time.Millisecond
	// pollPool is how often an idle lane looks whether somebody outside of the
	// engine waits for a connection.
	pollPool = 5 * time.Millisecond
)

// acquire takes a connection out of the pool, in its turn. It fails with
// ErrWouldDeadlock in a scope that would wait for its own connection.
func (s *leases) acquire(ctx context.Context) (*lease, error) {
	if err := s.take(ctx); err != nil {
		return nil, err
	}
	reused := s.db.Stats().Idle > 0
	sc, err := s.db.Conn(ctx)
	if err != nil {
		s.put()
		return nil, err
	}
	pc, ok := face.OfConn(sc)
	if !ok {
		sc.Close()
		s.put()
		return nil, errNotAio
	}
	return &lease{from: s, sc: sc, pc: pc, reused: reused, since: time.Now()}, nil
}

// take waits for the right to take a connection.
func (s *leases) take(ctx context.Context) error {
	s.limit.Store(int64(s.db.Stats().MaxOpenConnections))
	s.mu.Lock()
	if len(s.waiting) == 0 && s.roomy() {
		s.held++
		s.mu.Unlock()
		return nil
	}
	if sc := scopeOf(ctx); sc != nil {
		if !sc.wait(s) {
			s.mu.Unlock()
			return ErrWouldDeadlock
		}
		defer sc.waited()
	}
	w := &waiter{turn: make(chan struct{})}
	s.waiting = append(s.waiting, w)
	s.wanted.Add(1)
	s.mu.Unlock()
	s.release(0)
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.waiting {
		if s.waiting[i] == w {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			s.wanted.Add(-1)
			return ctx.Err()
		}
	}
	s.held-- // the turn came together with the end: pass it on
	s.admit()
	return ctx.Err()
}

// roomy reports whether another connection may be taken. It needs mu.
func (s *leases) roomy() bool {
	limit := s.limit.Load()
	return limit == 0 || int64(s.held) < limit
}

// put gives back the right to a connection.
func (s *leases) put() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held--
	s.admit()
}

// admit gives those who wait their turn. It needs mu.
func (s *leases) admit() {
	for len(s.waiting) > 0 && s.roomy() {
		close(s.waiting[0].turn)
		s.waiting = s.waiting[1:]
		s.wanted.Add(-1)
		s.held++
	}
}

// stuck reports whether all connections are held by Conns whose scopes or functions, and
// by lanes whose functions, wait for another one. It needs mu.
func (s *leases) stuck() bool {
	if s.limit.Load() == 0 || s.held > len(s.conns)+len(s.blocked) || s.roomy() {
		return false
	}
	for c := range s.conns {
		if c.waits.Load() == 0 {
			return false
		}
	}
	return true
}

// enterScope notes for a call of the engine's that it is made in a scope, and
// returns how its end is told; it fails if the call would wait for the scope's
// own connection.
func (s *leases) enterScope(ctx context.Context) (leave func(), err error) {
	if s.limit.Load() == 0 {
		return nil, nil
	}
	sc := scopeOf(ctx)
	if sc == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !sc.wait(s) {
		return nil, ErrWouldDeadlock
	}
	return sc.waited, nil
}

// awaitConn is called by those who are about to wait for another connection. On the
// thread of one it reports stuck if none would become free.
func (e *Engine) awaitConn() (release func(), stuck bool) {
	s := e.leases
	wait := e.waiter()
	if wait == nil || s.limit.Load() == 0 {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait(1); s.stuck() {
		wait(-1)
		return nil, true
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		wait(-1)
	}, false
}

// waiter returns what counts the waits of the connection on whose thread the caller is;
// nil if it is on none. The function needs the leases' mutex.
func (e *Engine) waiter() (wait func(n int)) {
	for _, s := range e.open() {
		if s.lane.pc.OnThread() {
			return func(n int) { s.waits.Add(int32(n)) }
		}
	}
	for _, q := range e.queues() {
		q.mu.Lock()
		lanes := q.lanes
		q.mu.Unlock()
		for _, l := range lanes { // replaced, never changed in place
			if l.pc.OnThread() {
				return func(n int) {
					if e.leases.blocked[l] += n; e.leases.blocked[l] == 0 {
						delete(e.leases.blocked, l)
					}
				}
			}
		}
	}
	return nil
}

// due reports whether a busy lane's lease is to go back: because others wait for
// a connection, or because it has lasted long enough.
func (l *lease) due() bool {
	return l.from.wanted.Load() > 0 || time.Since(l.since) >= leaseTime
}

// giveBack gives the connection back to the pool.
func (l *lease) giveBack() {
	if l.from.writer != nil {
		l.from.writer.unprepare(l)
	}
	l.sc.Close()
	l.from.put()
}

// drop has the pool close the connection.
func (l *lease) drop() {
	l.sc.Raw(func(any) error { return driver.ErrBadConn })
	l.sc.Close()
	l.from.put()
}

// watchIdle makes sure that idle lanes give their connections back in time.
func (s *leases) watchIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looking {
		s.looking = true
		time.AfterFunc(pollPool, s.look)
	}
}

// look gives back the lanes that have been idle for long, and all that are idle
// if the pool has no connection left and others have had to wait for one.
func (s *leases) look() {
	st := s.db.Stats()
	d := linger
	if st.MaxOpenConnections > 0 && st.InUse >= st.MaxOpenConnections && st.WaitCount > 0 {
		d = 0
	}
	s.mu.Lock()
	s.looking = false
	s.mu.Unlock()
	if s.release(d) {
		s.watchIdle()
	}
}
