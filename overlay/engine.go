package overlay

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/sqlaio/sqlaio/driver" // registers aio
)

// An Engine makes asynchronous calls on the connections of a sql.DB: each call goes
// to one of a few lanes, whichever is idle, or waits in one queue for
// them. All methods are safe for concurrent use.
type Engine struct {
	*pool
	db   *sql.DB
	owns bool // Shutdown closes db

	ctx    context.Context // ends with Shutdown
	cancel context.CancelFunc

	tending atomic.Bool // tend is going to run

	connecting sync.WaitGroup // of ConnectAsync's goroutines; added to under mu, until done is there

	mu       sync.Mutex
	sessions map[*session]struct{} // guarded by mu: open connections
	done     chan struct{}         // guarded by mu: closed when Shutdown is over; nil: not begun
}

// Target is where a call can go: an *Engine or a *Conn.
type Target interface {
	target() (p *pool, s *session, refused error)
}

// Open opens a database through the driver aio: driverName is that of the real
// driver and dsn is its own. Shutdown closes the database. An SQLite database
// in memory has one connection, for all to use in turn; it is an
// error to want more lanes for it (ErrMemoryDB).
func Open(driverName, dsn string, opts ...Option) (*Engine, error) {
	cfg := newConfig(opts)
	memory := inMemory(driverName, dsn)
	if memory && cfg.lanes > 1 {
		return nil, ErrMemoryDB
	}
	db, err := sql.Open("aio", driverName+":"+dsn)
	if err != nil {
		return nil, err
	}
	if memory {
		cfg.lanes = 1
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
	}
	return newEngine(db, cfg, true), nil
}

// inMemory reports whether every connection to an SQLite database would have one
// of its own.
func inMemory(driverName, dsn string) bool {
	return strings.Contains(driverName, "sqlite") && !strings.Contains(dsn, "cache=shared") &&
		(dsn == "" || strings.Contains(dsn, ":memory:") || strings.Contains(dsn, "mode=memory"))
}

// New returns an engine on a sql.DB of the driver aio, which stays the
// caller's: Shutdown does not close it. A db of another driver is an
// error of the first call. Of an SQLite database in memory db must allow but one
// connection.
func New(db *sql.DB, opts ...Option) *Engine { return newEngine(db, newConfig(opts), false) }

func newEngine(db *sql.DB, cfg *config, owns bool) *Engine {
	e := &Engine{db: db, owns: owns, sessions: make(map[*session]struct{})}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if cfg.dialect == nil {
		cfg.dialect = dialectOf(db.Driver())
	}
	most := cfg.lanes
	if most == 0 {
		most = defaultLanes
		if cfg.dialect == SQLite { // all work and no waiting: a processor each, and one for the rest
			most = min(most, max(1, runtime.GOMAXPROCS(0)/2))
		}
	}
	if n := db.Stats().MaxOpenConnections; n > 0 {
		most = min(most, n)
	}
	e.pool = &pool{config: cfg, most: most}
	e.grow = func() { go e.openLane() }
	e.idled = e.tend
	return e
}

// SyncDB returns the sql.DB: the way to make blocking calls on purpose.
func (e *Engine) SyncDB() *sql.DB { return e.db }

// Stats returns how the engine's lanes and queue are doing. Connections made by
// ConnectAsync are not in it.
func (e *Engine) Stats() Stats { return e.snapshot() }

func (e *Engine) target() (*pool, *session, error) { return e.pool, nil, nil }

// openLane opens a connection for the calls that wait.
func (e *Engine) openLane() {
	l, err := e.connect(e.ctx, e.pool)
	if err != nil {
		if e.ctx.Err() != nil {
			err = ErrClosed
		}
		e.failed(err)
		return
	}
	e.add(l)
}

// connect takes a connection out of the sql.DB.
func (e *Engine) connect(ctx context.Context, p *pool) (*lane, error) {
	reused := e.db.Stats().Idle > 0
	sc, err := e.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	l, err := newLane(p, sc)
	if err == nil {
		l.reused = reused
	}
	if err == nil && !e.owns && e.db.Stats().MaxOpenConnections != 1 {
		// By the driver, not WithDialect: a mock would take the question for the application's.
		err = dialectOf(e.db.Driver()).checkShared(ctx, sc)
	}
	if err != nil {
		sc.Close()
		return nil, fmt.Errorf("overlay: connecting: %w", err)
	}
	return l, nil
}

// tend sees to it that idle lanes give their connections back, in time. It is
// called with the pool's mu.
func (e *Engine) tend() {
	if e.tending.CompareAndSwap(false, true) {
		time.AfterFunc(pollPool, e.giveBack)
	}
}

// giveBack closes the lanes that have been idle for long, and all that are
// idle if the pool has no connection left and others have had to wait for one.
func (e *Engine) giveBack() {
	st := e.db.Stats()
	wanted := st.MaxOpenConnections > 0 && st.InUse >= st.MaxOpenConnections && st.WaitCount > 0
	var closing []*lane
	e.pool.mu.Lock()
	e.tending.Store(false)
	for _, l := range e.idle {
		l.idle++
		if wanted || time.Duration(l.idle)*pollPool >= linger {
			closing = append(closing, l)
		}
	}
	for _, l := range closing {
		e.drop(l)
	}
	if len(e.idle) > 0 {
		e.tending.Store(true)
		time.AfterFunc(pollPool, e.giveBack)
	}
	e.pool.mu.Unlock()
	for _, l := range closing {
		l.sc.Close()
	}
}
