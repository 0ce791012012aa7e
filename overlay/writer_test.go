package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

const writerParams = "?_journal=WAL&_sync=0&_busy_timeout=1000&_foreign_keys=1"

// withWriter opens an engine with a writer on a new file with a table t.
func withWriter(t *testing.T, opts ...overlay.Option) (e *overlay.Engine, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "a.db")
	e, err := overlay.Open("sqlite3", path+writerParams, append(opts, overlay.WithWriter())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, e.Shutdown(atMost(t, 10*time.Second))) })
	must(t, e.ExecAsync(background, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"))
	return e, path
}

// held has the writer busy until release is called: what is sent meanwhile is one group.
func held(t *testing.T, e *overlay.Engine) (release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	var once sync.Once
	overlay.Write(background, e, func(context.Context, *sql.Conn) (int, error) {
		once.Do(func() { close(started) }) // it may be called again
		<-gate
		return 0, nil
	})
	within(t, "the start of a function", started)
	time.Sleep(6 * time.Millisecond) // longer than a group
	return func() { close(gate) }
}

func keys(t *testing.T, e *overlay.Engine) []int {
	t.Helper()
	return must(t, overlay.Collect[int](background, e, "SELECT k FROM t ORDER BY k"))
}

func TestWriterCommitsWhatWaitsAsOneGroup(t *testing.T) {
	e, _ := withWriter(t)
	before := e.Stats()
	release := held(t, e)
	insert := e.ExecAsync(background, "INSERT INTO t VALUES (?, 'a')", 7)
	returning := overlay.Scalar[int](background, e, "INSERT INTO t (v) VALUES ('b') RETURNING k")
	rows := e.QueryAsync(background, "UPDATE t SET v = v || '!' RETURNING v")
	batch := e.BatchAsync(background, []overlay.Statement{{Query: "INSERT INTO t VALUES (20, 'c')"}, {Query: "UPDATE t SET v = 'd'"}}, overlay.InTx(nil))
	many := e.ExecManyAsync(background, "INSERT INTO t VALUES (?, 'e')", [][]any{{30}, {31}}, overlay.InTx(nil))
	fn := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (n int, err error) {
		err = c.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n)
		return n, err
	})
	release()
	if id, err := must(t, insert).LastInsertId(); id != 7 || err != nil {
		t.Errorf("LastInsertId is %d, %v", id, err)
	}
	if k := must(t, returning); k != 8 {
		t.Errorf("RETURNING gave %d, want 8", k)
	}
	if got := must(t, must(t, rows).FetchAllAsync(background)); len(got) != 2 {
		t.Errorf("UPDATE RETURNING gave %v", got)
	}
	if n, _ := must(t, batch)[1].Result.RowsAffected(); n != 3 {
		t.Errorf("the batch changed %d rows, want 3", n)
	}
	must(t, many)
	if n := must(t, fn); n != 5 {
		t.Errorf("the function saw %d rows, want 5", n)
	}
	if got := keys(t, e); len(got) != 5 {
		t.Errorf("the table has %v", got)
	}
	if s := e.Stats(); s.Groups-before.Groups > 5 || s.Largest < 2 || s.Members-before.Members != 7 { // a slow machine may cut the group
		t.Errorf("stats %+v, before %+v", s, before)
	}
}

// A member that ends badly takes nothing from those before and after it.
func TestWriterMemberFailsAlone(t *testing.T) {
	setUp := func(t *testing.T, e *overlay.Engine) {
		must(t, e.ExecAsync(background, "CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
		must(t, e.ExecAsync(background, "CREATE TABLE child (p REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"))
		must(t, e.ExecAsync(background, "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.v = 'raise' BEGIN SELECT RAISE(ABORT, 'no'); END"))
		must(t, e.ExecAsync(background, "CREATE TRIGGER all_gone BEFORE INSERT ON t WHEN new.v = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'gone'); END"))
	}
	boom := errors.New("boom")
	fn := func(run func(ctx context.Context, c *sql.Conn) error) func(*overlay.Engine) error {
		return func(e *overlay.Engine) error {
			return second(overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) { return 1, run(ctx, c) }).Await(background))
		}
	}
	exec := func(query string) func(*overlay.Engine) error {
		return func(e *overlay.Engine) error {
			return second(e.ExecAsync(background, query).Await(background))
		}
	}
	for name, culprit := range map[string]func(*overlay.Engine) error{
		"constraint":       exec("INSERT INTO t VALUES (1, 'again')"),
		"or rollback":      exec("INSERT OR ROLLBACK INTO t VALUES (1, 'again')"),
		"or fail":          exec("INSERT OR FAIL INTO t VALUES (1, 'again'), (50, 'x')"),
		"trigger":          exec("INSERT INTO t VALUES (50, 'raise')"),
		"trigger rollback": exec("INSERT INTO t VALUES (50, 'rollback')"),
		"deferred key":     exec("INSERT INTO child VALUES (99)"),
		"error": fn(func(ctx context.Context, c *sql.Conn) error {
			c.ExecContext(ctx, "INSERT INTO t VALUES (50, 'x')")
			return boom
		}),
		"panic": fn(func(ctx context.Context, c *sql.Conn) error {
			c.ExecContext(ctx, "INSERT INTO t VALUES (50, 'x')")
			panic("boom")
		}),
		"swallowed rollback": fn(func(ctx context.Context, c *sql.Conn) error {
			c.ExecContext(ctx, "INSERT INTO t VALUES (50, 'rollback')")
			return nil
		}),
		"commit": fn(func(ctx context.Context, c *sql.Conn) error {
			c.ExecContext(ctx, "INSERT INTO t VALUES (50, 'x')")
			return second(c.ExecContext(ctx, "COMMIT"))
		}),
		"begin": fn(func(ctx context.Context, c *sql.Conn) error { return second(c.BeginTx(ctx, nil)) }),
		"cancelled": func(e *overlay.Engine) error {
			ctx, cancel := context.WithCancel(background)
			f := e.ExecAsync(ctx, "INSERT INTO t SELECT 50, count(*) FROM ("+endlessQuery+")")
			time.AfterFunc(20*time.Millisecond, cancel)
			return second(f.Await(background))
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := withWriter(t)
			setUp(t, e)
			release := held(t, e)
			a := e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')")
			failed := make(chan error, 1)
			queued := e.Stats().Queued
			go func() { failed <- culprit(e) }()
			for e.Stats().Queued == queued && len(failed) == 0 { // it may be cancelled that early
				time.Sleep(time.Millisecond)
			}
			b := e.ExecAsync(background, "INSERT INTO t VALUES (2, 'b')")
			release()
			ra, rb := must(t, a), must(t, b)
			for i, r := range []sql.Result{ra, rb} {
				if id, _ := r.LastInsertId(); id != int64(i+1) {
					t.Errorf("LastInsertId is %d, want %d", id, i+1)
				}
			}
			if err := <-failed; err == nil || errors.Is(err, overlay.ErrOutcomeUnknown) {
				t.Errorf("the culprit got %v", err)
			} else {
				t.Log(err)
			}
			if got := keys(t, e); len(got) != 2 {
				t.Errorf("the table has %v, want 1 and 2", got)
			}
		})
	}
}

// A function that ends its goroutine takes the thread with it, and nothing of the others.
func TestWriterGoexit(t *testing.T) {
	e, _ := withWriter(t)
	release := held(t, e)
	a := e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')")
	f := overlay.Write(background, e, func(context.Context, *sql.Conn) (int, error) { runtime.Goexit(); return 0, nil })
	b := e.ExecAsync(background, "INSERT INTO t VALUES (2, 'b')")
	release()
	must(t, a)
	must(t, b)
	wantError(t, failure(t, f), threadpin.ErrGoexit)
	if got := keys(t, e); len(got) != 2 {
		t.Errorf("the table has %v", got)
	}
}

func TestWriterRunsAloneWhatCannotBeInAGroup(t *testing.T) {
	e, _ := withWriter(t)
	release := held(t, e)
	a := e.ExecAsync(background, "INSERT INTO t VALUES (1, 'a')")
	vacuum := e.ExecAsync(background, "VACUUM")
	several := e.ExecAsync(background, "INSERT INTO t VALUES (2, 'b'); INSERT INTO t VALUES (3, 'c')")
	open := e.ExecAsync(background, "BEGIN")
	b := e.ExecAsync(background, "INSERT INTO t VALUES (4, 'd')")
	release()
	must(t, a)
	must(t, vacuum)
	must(t, several)
	wantError(t, failure(t, open), overlay.ErrTxLeftOpen)
	must(t, b)
	if got := keys(t, e); len(got) != 4 {
		t.Errorf("the table has %v", got)
	}
}

func TestWriterLanesOnlyRead(t *testing.T) {
	e, _ := withWriter(t)
	swallowed := must(t, overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (error, error) {
		return second(c.ExecContext(ctx, "INSERT INTO t VALUES (1, 'a')")), nil
	}))
	if swallowed == nil || !strings.Contains(swallowed.Error(), "readonly") {
		t.Error(swallowed)
	}
	calls := 0
	must(t, overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		calls++
		return 0, second(c.ExecContext(ctx, "INSERT INTO t VALUES (2, 'a')"))
	}))
	if calls != 2 {
		t.Errorf("the function was called %d times, want 2", calls)
	}
	noError(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error { // perhaps the same connection
		return second(c.ExecAsync(ctx, "INSERT INTO t VALUES (1, 'a')").Await(ctx))
	}))
	time.Sleep(150 * time.Millisecond) // the lane gives its connection back
	for range 4 {
		noError(t, second(e.SyncDB().Exec("INSERT INTO t (v) VALUES ('b')")))
	}
}

func TestWriterNeedsAFile(t *testing.T) {
	for _, dsn := range []string{":memory:", "file::memory:?cache=shared", "file:x?mode=memory"} {
		_, err := overlay.Open("sqlite3", dsn, overlay.WithWriter())
		wantError(t, err, overlay.ErrNoWriter)
	}
	_, err := overlay.Open("mysql", "root@/x", overlay.WithWriter())
	wantError(t, err, overlay.ErrNoWriter)
	db, err := sql.Open("aio", "sqlite3::memory:")
	noError(t, err)
	defer db.Close()
	e := overlay.New(db, overlay.WithWriter())
	wantError(t, failure(t, e.ExecAsync(background, "CREATE TABLE t (k)")), overlay.ErrNoWriter)
	noError(t, e.Shutdown(background))
	without := oneLane(t)
	err = failure(t, overlay.Write(background, without, func(context.Context, *sql.Conn) (int, error) { return 0, nil }))
	wantError(t, err, overlay.ErrNoWriter)
	if !strings.HasSuffix(err.Error(), "this engine was made without the option") {
		t.Error(err)
	}
}

// Transactions and single writes take turns; nobody sees "database is locked", and
// nobody starves.
func TestWriterIsFair(t *testing.T) {
	e, _ := withWriter(t)
	stop := make(chan struct{})
	var flood sync.WaitGroup
	for range 16 {
		flood.Add(1)
		go func() {
			defer flood.Done()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := e.ExecAsync(background, "INSERT INTO t (v) VALUES ('flood')").Await(background); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	var worst time.Duration
	for range 50 {
		start := time.Now()
		noError(t, e.WithTx(atMost(t, 10*time.Second), nil, func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('tx')").Await(ctx))
		}))
		worst = max(worst, time.Since(start))
	}
	close(stop)
	flood.Wait()
	t.Logf("the longest of 50 transactions beside 16 writers took %v; %+v", worst, e.Stats())
	if worst > 2*time.Second {
		t.Errorf("a transaction took %v", worst)
	}
	n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t WHERE v = 'tx'"))
	if n != 50 {
		t.Errorf("%d rows of transactions, want 50", n)
	}
}

func TestWriterInItsOwnTransaction(t *testing.T) {
	e, _ := withWriter(t)
	err := e.WithTx(atMost(t, 10*time.Second), nil, func(ctx context.Context, c *overlay.Conn) error {
		return second(e.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('x')").Await(ctx))
	})
	wantError(t, err, overlay.ErrWouldDeadlock)
	inner := overlay.Write(atMost(t, 10*time.Second), e, func(ctx context.Context, c *sql.Conn) (int, error) {
		return 0, second(e.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('x')").Await(ctx))
	})
	wantError(t, failure(t, inner), overlay.ErrWouldDeadlock)
}

// A transaction that waits for its turn can be given up, and one that was given up
// keeps nobody waiting.
func TestWriterTurnGivenUp(t *testing.T) {
	e, _ := withWriter(t)
	release := held(t, e)
	ctx, cancel := context.WithTimeout(background, 30*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	wantError(t, err, context.DeadlineExceeded)
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
	release()
	must(t, e.ExecAsync(background, "INSERT INTO t (v) VALUES ('x')"))
}

// A nil function is an error of the caller, not a panic of the writer.
func TestWriteOfANilFunction(t *testing.T) {
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db"), overlay.WithWriter())
	noError(t, err)
	defer e.Shutdown(background)
	if err := failure(t, overlay.Write[int](background, e, nil)); err.Error() != "overlay: the function is nil" {
		t.Error(err)
	}
}

// A callback that ends the goroutine after a group's COMMIT has no other member run again.
func TestWriterGoexitAfterTheCommit(t *testing.T) {
	e, _ := withWriter(t)
	release := held(t, e)
	var fs []*overlay.Future[sql.Result]
	for k := range 5 {
		fs = append(fs, e.ExecAsync(background, "INSERT INTO t (k) VALUES (?)", 100+k))
	}
	fs[0].OnDone(func(sql.Result, error) { runtime.Goexit() })
	release()
	for k, f := range fs {
		if _, err := f.Await(background); err != nil {
			t.Errorf("%d: %v", k, err)
		}
	}
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t WHERE k >= 100")); n != 5 {
		t.Errorf("%d rows, want 5", n)
	}
}
