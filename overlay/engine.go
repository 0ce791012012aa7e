package overlay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/pinned"
)

// An Engine makes asynchronous calls on the connections of a sql.DB: each call goes
// to one of a few lanes, whichever is idle, or waits in one queue for
// them. All methods are safe for concurrent use.
type Engine struct {
	*queue
	leases *leases
	db     *sql.DB
	owns   bool // Shutdown closes db

	ctx    context.Context // ends with Shutdown
	cancel context.CancelFunc

	connecting sync.WaitGroup // of ConnectAsync's goroutines; added to under mu, until done is there

	mu       sync.Mutex
	sessions map[*session]struct{} // guarded by mu: open connections
	makes    map[*connecting]site  // guarded by mu: connections that are being made, and for whom
	done     chan struct{}         // guarded by mu: closed when Shutdown is over; nil: not begun
}

// Target is where a call can go: an *Engine or a *Conn.
type Target interface {
	target() (q *queue, s *session, refused error)
}

// noDriver is the error of Open. That of sql.Open explains a dsn that begins with a
// driver's name. A name that could be a dsn is not shown: it may hold a password.
func noDriver(name string) error {
	if strings.ContainsAny(name, " =:@/") {
		return fmt.Errorf("%w: the first argument of overlay.Open is a driver's name; registered drivers: %q", aio.ErrNoDriver, sql.Drivers())
	}
	return fmt.Errorf("%w: %q is not registered (forgotten import?); registered drivers: %q", aio.ErrNoDriver, name, sql.Drivers())
}

// driverNamed returns the driver that a data source name of SQLite's begins with; empty if
// it begins with none. It would be taken for a file's name, with whatever password is in it.
func driverNamed(dsn string) string {
	name, _, found := strings.Cut(dsn, ":")
	if !found || name == "file" || !slices.Contains(sql.Drivers(), name) { // file: begins a URI
		return ""
	}
	return name
}

// Open opens a database through the driver aio: driverName is that of the real
// driver and dsn is its own. It does not connect: to learn at the start of a program
// whether the database answers, call PingContext of [Engine.SyncDB]. Shutdown
// closes the database. An SQLite database
// in memory has one connection, for all to use in turn; it is an
// error to want more lanes for it (ErrMemoryDB). So is a dsn for SQLite that begins
// with the driver's name and a colon, as sql.Open("aio", …) wants it.
func Open(driverName, dsn string, opts ...Option) (*Engine, error) {
	cfg := newConfig(opts)
	db, err := sql.Open("aio", driverName+":"+dsn)
	if errors.Is(err, aio.ErrNoDriver) {
		return nil, noDriver(driverName)
	}
	if err != nil {
		return nil, err
	}
	private := false
	if dialectOf(db.Driver()) == SQLite {
		if name := driverNamed(dsn); name != "" {
			db.Close()
			return nil, fmt.Errorf("overlay: the dsn begins with %q, which names a driver: Open has the driver's name already, so leave it out, as in overlay.Open(%q, %q)",
				name+":", driverName, "app.db")
		}
		private, _ = privateDatabase(dsn)
	}
	if private {
		if cfg.lanes > 1 {
			db.Close()
			return nil, ErrMemoryDB
		}
		cfg.lanes = 1
		db.SetMaxOpenConns(1)
		db.SetMaxIdleConns(1)
	}
	if cfg.writer && !writerFile(db, dsn) {
		db.Close()
		return nil, ErrNoWriter
	}
	return newEngine(db, cfg, true), nil
}

// New returns an engine on a sql.DB of the driver aio, which stays the
// caller's: Shutdown does not close it. A db of another driver is an
// error of the first call. For an in-memory SQLite database without a shared
// cache, db must be limited to one connection.
func New(db *sql.DB, opts ...Option) *Engine { return newEngine(db, newConfig(opts), false) }

func newEngine(db *sql.DB, cfg *config, owns bool) *Engine {
	e := &Engine{db: db, owns: owns, sessions: make(map[*session]struct{}), makes: make(map[*connecting]site)}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if cfg.dialect == nil {
		cfg.dialect = dialectOf(db.Driver())
	}
	if d, ok := db.Driver().(interface{ Tracers() *pinned.Tracers }); ok {
		cfg.tracers = d.Tracers()
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
	e.leases = &leases{db: db, conns: make(map[*session]struct{}), blocked: make(map[*lane]int), release: e.releaseIdle}
	e.queue = &queue{config: cfg, most: most, leases: e.leases}
	e.queue.open = func() { go e.openLane(e.queue) }
	if cfg.writer {
		e.queue.writer = newWriter(e)
		e.leases.writer = e.queue.writer
	}
	return e
}

// SyncDB returns the sql.DB: the way to make blocking calls on purpose.
func (e *Engine) SyncDB() *sql.DB { return e.db }

// String describes the engine in one line, without its data source name.
func (e *Engine) String() string {
	st := e.Stats()
	return fmt.Sprintf("overlay.Engine(%v, lanes %d, queued %d)", e.config.dialect, st.Lanes, st.Queued)
}

func (e *Engine) target() (*queue, *session, error) { return e.queue, nil, nil }

// openLane opens a connection for the calls that wait.
func (e *Engine) openLane(q *queue) {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	defer q.giveUpBy(cancel)()
	l, err := e.leases.acquire(ctx)
	if err == nil {
		if e.writer != nil && !e.writer.fits(l) {
			err = ErrNoWriter
		} else {
			err = e.checkShared(ctx, l)
		}
		if err != nil {
			l.giveBack()
		} else if e.writer != nil {
			if err = e.writer.prepareLane(ctx, q, l); err != nil {
				l.drop() // it may be one that only reads
			}
		}
	}
	switch {
	case err == nil:
	case e.ctx.Err() != nil:
		q.failed(ErrClosed, false)
		return
	default:
		q.failed(err, ctx.Err() != nil)
		return
	}
	lane := newLane(q, l.pc)
	lane.lease = l
	switch {
	case e.writer == nil:
	case q == e.queue:
		lane.readOnly = true
	default:
		lane.writer = e.writer
	}
	q.add(lane)
}

// checkShared fails if each connection of somebody's sql.DB would have a database
// of its own.
func (e *Engine) checkShared(ctx context.Context, l *lease) error {
	if e.owns || e.leases.limit.Load() == 1 {
		return nil
	}
	// By the driver, not WithDialect: a mock would take the question for the application's.
	return dialectOf(e.db.Driver()).checkShared(ctx, l)
}

// releaseIdle gives back the connections of lanes, and of the writer, that have been
// idle for d, and reports whether others are idle.
func (e *Engine) releaseIdle(d time.Duration) (left bool) {
	for _, q := range e.queues() {
		idle, n := q.dropIdle(d)
		for _, l := range idle {
			l.retire()
		}
		left = left || n > 0
	}
	return left
}

// queues are those of the engine's own calls.
func (e *Engine) queues() []*queue {
	if e.writer == nil {
		return []*queue{e.queue}
	}
	return []*queue{e.queue, e.writer.queue}
}

// retire gives back the connection of an idle lane that is no longer the queue's.
func (l *lane) retire() {
	done := make(chan struct{})
	if l.w.Submit(l.close, func(error) { close(done) }) == nil {
		<-done
	}
	l.lease.giveBack()
}
