//go:build linux && cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

// A probe records the threads on which SQLite calls back for one connection.
type probe struct {
	mu   sync.Mutex
	seen map[int]map[string]int // thread, what was called, how often
}

func (p *probe) note(what string) int {
	id := syscall.Gettid()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen[id] == nil {
		p.seen[id] = map[string]int{}
	}
	p.seen[id][what]++
	return id
}

// probes are those of a driver's connections.
type probes struct {
	mu   sync.Mutex
	list []*probe
}

// driver returns a SQLite driver that puts a probe in each connection.
func (ps *probes) driver() *sqlite3.SQLiteDriver {
	return &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		p := &probe{seen: map[int]map[string]int{}}
		ps.mu.Lock()
		ps.list = append(ps.list, p)
		ps.mu.Unlock()
		p.note("connect hook")
		return p.install(c)
	}}
}

func (p *probe) install(c *sqlite3.SQLiteConn) error {
	c.RegisterCommitHook(func() int { p.note("commit hook"); return 0 })
	c.RegisterRollbackHook(func() { p.note("rollback hook") })
	c.RegisterUpdateHook(func(int, string, string, int64) { p.note("update hook") })
	c.RegisterAuthorizer(func(int, string, string, string) int { p.note("authorizer"); return sqlite3.SQLITE_OK })
	return errors.Join(
		c.RegisterFunc("tid", func() int64 { return int64(p.note("function")) }, false),
		c.RegisterAggregator("tids", func() *aggregate { p.note("new aggregate"); return &aggregate{p} }, false),
		c.RegisterCollation("probing", func(a, b string) int { p.note("collation"); return len(a) - len(b) }),
	)
}

type aggregate struct{ p *probe }

func (a *aggregate) Step(int64) { a.p.note("aggregate step") }

func (a *aggregate) Done() int64 { return int64(a.p.note("aggregate end")) }

// callbacks are those that use makes SQLite call.
var callbacks = []string{"connect hook", "commit hook", "rollback hook", "update hook", "authorizer", "function",
	"new aggregate", "aggregate step", "aggregate end", "collation"}

// probing returns a DB on a new file whose connections have probes.
func probing(t testing.TB, conns int) (*sql.DB, *probes) {
	t.Helper()
	ps := new(probes)
	return openProbing(t, aio.Wrap(ps.driver()), conns), ps
}

func openProbing(t testing.TB, d driver.Driver, conns int) *sql.DB {
	t.Helper()
	name := fmt.Sprint("probing", drivers.Add(1))
	sql.Register(name, d)
	db, err := sql.Open(name, "file:"+filepath.Join(t.TempDir(), "a.db")+
		"?_journal_mode=WAL&_synchronous=OFF&_busy_timeout=20000&_txlock=immediate")
	must(t, err)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() { db.Close() })
	_, err = db.Exec("create table t(id integer primary key, tid int, name text)")
	must(t, err)
	return db
}

var drivers atomic.Int64 // that were registered

// threads gathers the ids that SQL functions return.
type threads struct {
	ids map[int64]bool
	err error
}

func (ts *threads) exec(_ sql.Result, err error) { ts.err = errors.Join(ts.err, err) }

// query reads rows of one id.
func (ts *threads) query(rows *sql.Rows, err error) {
	if err != nil {
		ts.err = errors.Join(ts.err, err)
		return
	}
	for rows.Next() {
		var id int64
		ts.err = errors.Join(ts.err, rows.Scan(&id))
		ts.ids[id] = true
	}
	ts.err = errors.Join(ts.err, rows.Err(), rows.Close())
}

// use makes every kind of call on a connection and returns the ids of the
// threads that SQL functions saw.
func use(ctx context.Context, conn *sql.Conn) (map[int64]bool, error) {
	ts := &threads{ids: map[int64]bool{}}
	const hundred = "with recursive c(x) as (select 1 union all select x+1 from c where x < 300) select tid() from c"
	ts.query(conn.QueryContext(ctx, "select tid()"))
	ts.query(conn.QueryContext(ctx, hundred))
	ts.query(conn.QueryContext(ctx, "select tid() where 1 = ? and 2 = :two", 1, sql.Named("two", 2)))
	ts.exec(conn.ExecContext(ctx, "insert into t(tid, name) values (tid(), 'none')"))
	ts.exec(conn.ExecContext(ctx, "insert into t(tid, name) values (tid(), ?)", "positional"))
	ts.exec(conn.ExecContext(ctx, "insert into t(tid, name) values (tid(), :n)", sql.Named("n", "named")))
	ts.exec(conn.ExecContext(ctx, "insert into t(tid, name) values (tid(), 'two'); update t set name = name || tid() where id = last_insert_rowid()"))
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		ts.transaction(ctx, conn, end)
	}
	stmt, err := conn.PrepareContext(ctx, "select tid() where ? > 0")
	ts.err = errors.Join(ts.err, err)
	if err == nil {
		ts.query(stmt.QueryContext(ctx, 1))
		ts.query(stmt.QueryContext(ctx, 2))
		ts.err = errors.Join(ts.err, stmt.Close())
	}
	ts.query(conn.QueryContext(ctx, "select tids(id) from t"))
	ts.query(conn.QueryContext(ctx, "select tid() from t order by name collate probing limit 10"))
	half, err := conn.QueryContext(ctx, hundred)
	ts.err = errors.Join(ts.err, err)
	if err == nil {
		half.Next()
		ts.err = errors.Join(ts.err, half.Close())
	}
	return ts.ids, ts.err
}

func (ts *threads) transaction(ctx context.Context, conn *sql.Conn, end func(*sql.Tx) error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		ts.err = errors.Join(ts.err, err)
		return
	}
	ts.exec(tx.ExecContext(ctx, "insert into t(tid, name) values (tid(), 'x')"))
	ts.query(tx.QueryContext(ctx, "select tid() from t limit 20"))
	if stmt, err := tx.PrepareContext(ctx, "delete from t where tid() < ?"); err == nil {
		ts.exec(stmt.ExecContext(ctx, 0))
	}
	ts.err = errors.Join(ts.err, end(tx))
}

// gettid returns the thread of a connection as Raw sees it.
func gettid(t testing.TB, conn *sql.Conn) (id int) {
	t.Helper()
	must(t, aio.Raw(context.Background(), conn, func(driver.Conn) error { id = syscall.Gettid(); return nil }))
	return id
}

// checkProbes requires that each connection has one thread, no two the same,
// and none the test's own.
func checkProbes(t testing.TB, ps *probes, own int) {
	t.Helper()
	owners := map[int]int{own: -1}
	for i, p := range ps.list {
		if len(p.seen) != 1 {
			t.Errorf("connection %d was called back on %d threads: %v", i, len(p.seen), p.seen)
		}
		for id, whats := range p.seen {
			if other, taken := owners[id]; taken {
				t.Errorf("connections %d and %d (-1 is the test) share thread %d", other, i, id)
			}
			owners[id] = i
			t.Logf("connection %d, thread %d: %v", i, id, whats)
		}
	}
}

// TestProbesSeeTheBareDriverMove, or they would prove nothing: the bare driver
// works on the thread of its caller.
func TestProbesSeeTheBareDriverMove(t *testing.T) {
	for name, d := range map[string]func(driver.Driver) driver.Driver{
		"bare":    func(d driver.Driver) driver.Driver { return d },
		"wrapped": func(d driver.Driver) driver.Driver { return aio.Wrap(d) },
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ps := new(probes)
			db := openProbing(t, d(ps.driver()), 1)
			ids := map[int64]bool{}
			query := func() {
				var id int64
				must(t, db.QueryRow("select tid()").Scan(&id))
				ids[id] = true
			}
			query()
			within(t, func() {
				runtime.LockOSThread() // for good: it ends with its thread
				query()
			})
			if want := map[string]int{"bare": 2, "wrapped": 1}[name]; len(ids) != want {
				t.Errorf("threads %v, want %d", ids, want)
			}
		})
	}
}

// TestCallbacksRunOnTheConnectionsThread with one connection, with and without
// a cancellable context.
func TestCallbacksRunOnTheConnectionsThread(t *testing.T) {
	runtime.LockOSThread() // so that the test has a thread to be told apart
	defer runtime.UnlockOSThread()
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			db, ps := probing(t, 1)
			conn, err := db.Conn(ctx)
			must(t, err)
			defer conn.Close()
			want := gettid(t, conn)
			for range 3 {
				ids, err := use(ctx, conn)
				must(t, err)
				if len(ids) != 1 || !ids[int64(want)] {
					t.Errorf("SQL functions ran on %v, the connection's thread is %d", ids, want)
				}
			}
			checkProbes(t, ps, syscall.Gettid())
			for _, what := range callbacks {
				if ps.list[0].seen[want][what] == 0 {
					t.Errorf("no %s", what)
				}
			}
		})
	}
}

// TestCallbacksUnderLoad: goroutines share a pool.
func TestCallbacksUnderLoad(t *testing.T) {
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			const conns = 4
			db, ps := probing(t, conns)
			within(t, func() {
				var wg sync.WaitGroup
				for range 3 * conns {
					wg.Add(1)
					go func() {
						defer wg.Done()
						for range 3 {
							if err := useAny(ctx, db); err != nil {
								t.Error(err)
							}
						}
					}()
				}
				wg.Wait()
			})
			if len(ps.list) > conns {
				t.Errorf("%d connections", len(ps.list))
			}
			checkProbes(t, ps, 0)
		})
	}
}

// useAny uses any connection of the pool, and one statement on any.
func useAny(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ids, err := use(ctx, conn)
	if err == nil && len(ids) != 1 {
		err = fmt.Errorf("SQL functions of one connection ran on %v", ids)
	}
	return err
}

// TestPooledCallsRunOnTheirConnectionsThread: statements prepared on the DB
// find their way to every connection.
func TestPooledCallsRunOnTheirConnectionsThread(t *testing.T) {
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			db, ps := probing(t, 3)
			stmt, err := db.PrepareContext(ctx, "select tid() from t limit ?")
			must(t, err)
			defer stmt.Close()
			within(t, func() {
				var wg sync.WaitGroup
				for range 6 {
					wg.Add(1)
					go func() {
						defer wg.Done()
						ts := &threads{ids: map[int64]bool{}}
						for range 20 {
							ts.exec(db.ExecContext(ctx, "insert into t(tid) values (tid())"))
							ts.query(stmt.QueryContext(ctx, 5))
						}
						if ts.err != nil {
							t.Error(ts.err)
						}
					}()
				}
				wg.Wait()
			})
			checkProbes(t, ps, 0)
		})
	}
}

// TestInterruptedCallsRunOnTheThread: the interrupt comes from elsewhere, the
// callbacks don't, and the connection goes on.
func TestInterruptedCallsRunOnTheThread(t *testing.T) {
	db, ps := probing(t, 1)
	for range 5 {
		ctx, cancel := context.WithCancel(context.Background())
		conn, err := db.Conn(context.Background())
		must(t, err)
		must(t, aio.Raw(ctx, conn, func(inner driver.Conn) error {
			return inner.(*sqlite3.SQLiteConn).RegisterFunc("cancel", func() int64 {
				cancel()
				return int64(ps.list[0].note("cancel"))
			}, false)
		}))
		within(t, func() {
			_, err := conn.ExecContext(ctx, "with recursive c(x) as (select cancel() union all select x+1 from c) select count(*), tid() from c")
			if err != context.Canceled {
				t.Error(err)
			}
			_, err = use(context.Background(), conn)
			must(t, err)
		})
		must(t, conn.Close())
	}
	checkProbes(t, ps, 0)
}
