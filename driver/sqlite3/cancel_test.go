//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

var cancelBackground = context.Background()

// cancelEndless is a table of so many rows that no query comes to its end.
const cancelEndless = "(with recursive c(x) as (select 1 union all select x+1 from c where x < 1e15) select x from c)"

// A cancelEnv is a database file, the same for go-sqlite3 alone and behind the
// shim. Its connections have the SQL functions
//
//	mark(k)  tells the test that the statement came here; returns 1
//	nap(ms)  takes that long and cannot be interrupted; returns ms
type cancelEnv struct {
	testing.TB
	name string // "bare" or "aio"
	path string
	db   *sql.DB
	log  []string

	mu    sync.Mutex
	marks map[int64]func()
	naps  atomic.Int64 // calls of nap that are over
}

// cancelOpen opens a new file. At the end all is closed.
func cancelOpen(t testing.TB, name, params string, hooks ...func(*sqlite3.SQLiteConn)) *cancelEnv {
	t.Helper()
	e := &cancelEnv{TB: t, name: name, path: filepath.Join(t.TempDir(), "cancel.db"), marks: map[int64]func(){}}
	d := &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		for _, h := range hooks {
			h(c)
		}
		return errors.Join(c.RegisterFunc("mark", e.mark, false), c.RegisterFunc("nap", e.nap, false))
	}}
	e.db = e.open(d, params)
	t.Cleanup(func() { must(t, e.db.Close()) })
	_, err := e.db.Exec("create table t(x)")
	must(t, err)
	return e
}

func (e *cancelEnv) open(d driver.Driver, params string) *sql.DB {
	e.Helper()
	dsn := "file:" + e.path + "?_sync=0&" + params
	if e.name == "bare" {
		return sql.OpenDB(&cancelBareConnector{d, dsn})
	}
	c, err := aio.Wrap(d).(driver.DriverContext).OpenConnector(dsn)
	must(e, err)
	return sql.OpenDB(c)
}

type cancelBareConnector struct {
	d   driver.Driver
	dsn string
}

func (c *cancelBareConnector) Connect(context.Context) (driver.Conn, error) { return c.d.Open(c.dsn) }
func (c *cancelBareConnector) Driver() driver.Driver                        { return c.d }

func (e *cancelEnv) mark(k int64) int64 {
	e.mu.Lock()
	fn := e.marks[k]
	delete(e.marks, k)
	e.mu.Unlock()
	if fn != nil {
		fn()
	}
	return 1
}

func (e *cancelEnv) nap(ms int64) int64 {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	e.naps.Add(1)
	return ms
}

// at runs fn in the statement that first calls mark(k).
func (e *cancelEnv) at(k int64, fn func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.marks[k] = fn
}

// say adds to what is compared between bare and aio.
func (e *cancelEnv) say(format string, args ...any) {
	e.log = append(e.log, fmt.Sprintf(format, args...))
}

func (e *cancelEnv) conn() *sql.Conn {
	e.Helper()
	c, err := e.db.Conn(cancelBackground)
	must(e, err)
	return c
}

// xs returns the numbers in table t as another connection sees them.
func (e *cancelEnv) xs() string {
	e.Helper()
	db, err := sql.Open("sqlite3", "file:"+e.path)
	must(e, err)
	defer db.Close()
	var list sql.NullString
	must(e, db.QueryRow("select group_concat(x) from (select x from t order by x)").Scan(&list))
	return "[" + list.String + "]"
}

// cancelAio opens a new file behind the shim.
func cancelAio(t *testing.T, params string, hooks ...func(*sqlite3.SQLiteConn)) *cancelEnv {
	return cancelOpen(t, "aio", params, hooks...)
}

// cancelCompare runs a test bare and behind the shim, and compares what they
// say.
func cancelCompare(t *testing.T, params string, run func(e *cancelEnv), hooks ...func(*sqlite3.SQLiteConn)) {
	t.Helper()
	var logs [2][]string
	for i, name := range []string{"bare", "aio"} {
		t.Run(name, func(t *testing.T) {
			e := cancelOpen(t, name, params, hooks...)
			within(t, func() { run(e) })
			logs[i] = e.log
		})
	}
	if !slices.Equal(logs[0], logs[1]) {
		t.Errorf("bare\n\t%s\naio\n\t%s", strings.Join(logs[0], "\n\t"), strings.Join(logs[1], "\n\t"))
	}
}

// cancelOccupy keeps the connection's thread busy until release.
func cancelOccupy(t testing.TB, c *sql.Conn) (w *threadpin.Worker, release func()) {
	t.Helper()
	w, err := aio.Thread(c)
	must(t, err)
	return w, harness.Occupy(t, w)
}

// cancelCalls are all ways to run a statement; each returns when it is over.
var cancelCalls = []struct {
	name string
	run  func(ctx context.Context, c *sql.Conn, query string) error
}{
	{"Exec", func(ctx context.Context, c *sql.Conn, query string) error {
		_, err := c.ExecContext(ctx, query)
		return err
	}},
	{"Exec with arguments", func(ctx context.Context, c *sql.Conn, query string) error {
		_, err := c.ExecContext(ctx, "with a as (select ?) "+query, 1)
		return err
	}},
	{"Query", func(ctx context.Context, c *sql.Conn, query string) error {
		return cancelRead(c.QueryContext(ctx, query))
	}},
	{"QueryRow", func(ctx context.Context, c *sql.Conn, query string) error {
		var x any
		return c.QueryRowContext(ctx, query).Scan(&x)
	}},
	{"prepared Exec", func(ctx context.Context, c *sql.Conn, query string) error {
		s, err := c.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.ExecContext(ctx)
		return err
	}},
	{"prepared Query", func(ctx context.Context, c *sql.Conn, query string) error {
		s, err := c.PrepareContext(ctx, query)
		if err != nil {
			return err
		}
		defer s.Close()
		return cancelRead(s.QueryContext(ctx))
	}},
}

func cancelRead(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// What is queued when its context ends returns at once and never runs.
func TestCancelQueued(t *testing.T) {
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	for _, call := range cancelCalls {
		w, release := cancelOccupy(t, c)
		ctx, cancel := context.WithCancel(cancelBackground)
		wait := harness.Go(t, "the call", func() error { return call.run(ctx, c, "insert into t values(1) returning x") })
		harness.Until(t, "the call queued", func() bool { return w.Stats().Queued > 0 })
		cancel()
		if err := wait(); err != context.Canceled {
			t.Errorf("%s: %v", call.name, err)
		}
		release()
		must(t, c.PingContext(cancelBackground))
		if xs := e.xs(); xs != "[]" {
			t.Fatalf("%s: ran after its cancel: %s", call.name, xs)
		}
	}
}

// While another goroutine has the connection for Raw, database/sql itself
// keeps calls waiting, whatever their contexts. They don't run either.
func TestCancelWhileConnectionIsLent(t *testing.T) {
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	for _, call := range cancelCalls {
		lent, giveBack := make(chan struct{}), make(chan struct{})
		raw := harness.Go(t, "the call", func() error {
			return aio.Raw(cancelBackground, c, func(driver.Conn) error { close(lent); <-giveBack; return nil })
		})
		<-lent
		ctx, cancel := context.WithCancel(cancelBackground)
		wait := harness.Go(t, "the call", func() error { return call.run(ctx, c, "insert into t values(1) returning x") })
		cancel()
		close(giveBack)
		must(t, raw())
		if err := wait(); err != context.Canceled {
			t.Errorf("%s: %v", call.name, err)
		}
		if xs := e.xs(); xs != "[]" {
			t.Fatalf("%s: ran after its cancel: %s", call.name, xs)
		}
	}
}

// A context that has ended before the call keeps it from running.
func TestCancelBeforeCall(t *testing.T) {
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	ctx, cancel := context.WithCancel(cancelBackground)
	cancel()
	late, cancel := context.WithDeadline(cancelBackground, time.Now().Add(-time.Second))
	defer cancel()
	for _, call := range cancelCalls {
		if err := call.run(ctx, c, "insert into t values(1) returning x"); err != context.Canceled {
			t.Errorf("%s: %v", call.name, err)
		}
		if err := call.run(late, c, "insert into t values(1) returning x"); err != context.DeadlineExceeded {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	if _, err := c.BeginTx(ctx, nil); err != context.Canceled {
		t.Errorf("BeginTx: %v", err)
	}
	if xs := e.xs(); xs != "[]" {
		t.Errorf("ran after its cancel: %s", xs)
	}
	_, err := c.ExecContext(cancelBackground, "begin; rollback")
	must(t, err)
}

// A statement that would run for ever ends soon after its cancel, and the
// connection goes on.
func TestCancelRunning(t *testing.T) {
	const loops, bound = 20, 2 * time.Second
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	number := int64(0)
	for _, call := range cancelCalls {
		var took []time.Duration
		for range loops {
			number++
			running := make(chan struct{})
			e.at(number, func() { close(running) })
			ctx, cancel := context.WithCancel(cancelBackground)
			wait := harness.Go(t, "the call", func() error {
				return call.run(ctx, c, fmt.Sprintf("select count(*) from %s where mark(%d) or x > 0", cancelEndless, number))
			})
			<-running
			start := time.Now()
			cancel()
			err := wait()
			took = append(took, time.Since(start))
			if err != context.Canceled {
				t.Errorf("%s: %v", call.name, err)
			}
			must(t, c.PingContext(cancelBackground))
		}
		slices.Sort(took)
		t.Logf("%-20s ends %v after its cancel (median of %d; at most %v)", call.name, took[loops/2], loops, took[loops-1])
		if took[loops-1] > bound {
			t.Errorf("%s: took %v to end", call.name, took[loops-1])
		}
	}
	if n := e.db.Stats().OpenConnections; n != 1 {
		t.Errorf("%d connections", n)
	}
}

// The same by a deadline.
func TestDeadlineRunning(t *testing.T) {
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	for _, call := range cancelCalls {
		ctx, cancel := context.WithTimeout(cancelBackground, 20*time.Millisecond)
		start := time.Now()
		err := call.run(ctx, c, "select count(*) from "+cancelEndless)
		if d := time.Since(start); err != context.DeadlineExceeded || d > 2*time.Second {
			t.Errorf("%s: %v after %v", call.name, err, d)
		}
		cancel()
		must(t, c.PingContext(cancelBackground))
	}
}

// Rows that have come but were not read when the context ends: what is still
// read is right, and the error is the context's.
func TestCancelUnread(t *testing.T) {
	for _, n := range []int{2, 5, 1000} {
		e := cancelAio(t, "")
		c := e.conn()
		ctx, cancel := context.WithCancel(cancelBackground)
		rows, err := c.QueryContext(ctx, fmt.Sprintf("select x from %s limit %d", cancelEndless, n))
		must(t, err)
		must(t, c.PingContext(cancelBackground)) // comes after the first rows
		cancel()
		read := 0
		for ; rows.Next(); read++ {
			var x int
			if rows.Scan(&x) == nil && x != read+1 {
				t.Errorf("row %d is %d", read+1, x)
			}
		}
		if err := rows.Err(); err != context.Canceled && (read < n || err != nil) {
			t.Errorf("%d of %d rows, then %v", read, n, err)
		}
		rows.Close()
		_, err = c.ExecContext(cancelBackground, "insert into t values(1)")
		must(t, err)
		must(t, c.Close())
	}
}

// The usual `defer cancel()` after success has no effect.
func TestCancelAfterSuccess(t *testing.T) {
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	for i := range 200 {
		func() {
			ctx, cancel := context.WithCancel(cancelBackground)
			defer cancel()
			_, err := c.ExecContext(ctx, "insert into t values(?)", i)
			must(t, err)
		}()
		var n int
		must(t, c.QueryRowContext(cancelBackground, "select count(*) from t").Scan(&n))
		if n != i+1 {
			t.Fatalf("%d rows after %d inserts", n, i+1)
		}
	}
}

// A cancel that comes as a statement ends, before or after, never stops the
// next one; and the statement has done what it reports.
func TestLateCancelSparesTheNextStatement(t *testing.T) {
	const loops = 2000
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	want, cancelled := 0, 0
	for i := range loops {
		ctx, cancel := context.WithCancel(cancelBackground)
		delay := time.Duration(i%100) * time.Microsecond
		done := make(chan struct{})
		go func() {
			for start := time.Now(); time.Since(start) < delay; {
				runtime.Gosched()
			}
			cancel()
			close(done)
		}()
		_, err := c.ExecContext(ctx, "insert into t select ? from (with recursive c(x) as (select 1 union all select x+1 from c where x < 30) select count(*) from c)", i)
		switch err {
		case nil:
			want++
		case context.Canceled:
			cancelled++
		default:
			t.Fatalf("insert %d: %v", i, err)
		}
		var n int
		if err := c.QueryRowContext(cancelBackground, "select count(*) from t").Scan(&n); err != nil {
			t.Fatalf("after insert %d: %v", i, err)
		}
		if n != want {
			t.Fatalf("insert %d: %v, but %d rows and not %d", i, err, n, want)
		}
		<-done
	}
	t.Logf("%d of %d were cancelled", cancelled, loops)
}

// Rows that are cancelled between two of them: no more come, soon, also when
// the next one is endless and was being read ahead.
func TestCancelBetweenRows(t *testing.T) {
	for _, query := range []string{
		"select x from " + cancelEndless,
		"with recursive c(x) as (select 1 union all select x+1 from c) select x from c",
		"select 1 union all select 2 union all select count(*) from " + cancelEndless,
		"with a(x) as (select 1 union all select 2 union all select count(*) from " + cancelEndless + ") select x from a",
		"values(1), (2), ((select count(*) from " + cancelEndless + "))",
	} {
		t.Run(query[:20], func(t *testing.T) {
			e := cancelAio(t, "")
			c := e.conn()
			ctx, cancel := context.WithCancel(cancelBackground)
			defer cancel()
			rows, err := c.QueryContext(ctx, query)
			must(t, err)
			for want := 1; want <= 2; want++ {
				var x int
				if !rows.Next() || rows.Scan(&x) != nil || x != want {
					t.Fatalf("row %d is %d, %v", want, x, rows.Err())
				}
			}
			start := time.Now()
			cancel()
			wait := harness.Go(t, "the call", func() int {
				n := 0
				for rows.Next() {
					n++
				}
				rows.Close()
				return n
			})
			n := wait()
			if d := time.Since(start); rows.Err() != context.Canceled || d > 2*time.Second {
				t.Errorf("%d more rows in %v, then %v", n, d, rows.Err())
			} else {
				t.Logf("%d more rows in %v", n, d)
			}
			must(t, c.PingContext(cancelBackground))
			must(t, c.Close())
		})
	}
}

// Two rows open on one connection, of which one is cancelled between its rows:
// the other doesn't notice, as without the shim.
func TestCancelBetweenRowsSparesOtherRows(t *testing.T) {
	cancelCompare(t, "", func(e *cancelEnv) {
		c := e.conn()
		defer c.Close()
		ctx, cancel := context.WithCancel(cancelBackground)
		defer cancel()
		a, err := c.QueryContext(ctx, "select x from "+cancelEndless)
		must(e, err)
		b, err := c.QueryContext(cancelBackground, "select x from "+cancelEndless+" limit 2000")
		must(e, err)
		defer b.Close()
		n := 0
		for b.Next() {
			if n++; n == 3 {
				e.say("a: %t", a.Next())
				cancel()
				a.Close()
			}
		}
		e.say("b: %d, %v", n, b.Err())
	})
}

// A cancel while a statement runs stops that statement alone. Other rows that are
// open on the connection go on, and a later insert and COMMIT succeed with them
// open. Bare, sqlite3_interrupt stops all of these.
func TestCancelRunningSparesOtherRowsAndLaterCalls(t *testing.T) {
	const limit = 5000
	e := cancelAio(t, "")
	within(t, func() {
		c := e.conn()
		defer c.Close()
		_, err := c.ExecContext(cancelBackground, "begin")
		must(e, err)
		rows, err := c.QueryContext(cancelBackground, fmt.Sprintf("select x from %s limit %d", cancelEndless, limit))
		must(e, err)
		defer rows.Close()
		rows.Next()
		for k := range int64(20) {
			ctx, cancel := context.WithCancel(cancelBackground)
			e.at(k, cancel)
			_, err = c.ExecContext(ctx, fmt.Sprintf("select count(*) from %s where mark(%d) or x > 0", cancelEndless, k))
			if err != context.Canceled {
				t.Errorf("the statement that was cancelled: %v", err)
			}
		}
		_, err = c.ExecContext(cancelBackground, "insert into t values(1)")
		must(e, err)
		_, err = c.ExecContext(cancelBackground, "commit")
		must(e, err)
		read := 1
		for rows.Next() {
			read++
		}
		if read != limit || rows.Err() != nil {
			t.Errorf("%d rows, then %v", read, rows.Err())
		}
	})
	if xs := e.xs(); xs != "[1]" {
		t.Errorf("%s", xs)
	}
}

// A BEGIN that waits for a lock when its context ends leaves no transaction
// behind.
func TestCancelInBegin(t *testing.T) {
	cancelCompare(t, "_txlock=immediate&_busy_timeout=300", func(e *cancelEnv) {
		blocker, err := e.db.Begin()
		must(e, err)
		c := e.conn()
		for range 3 {
			ctx, cancel := context.WithTimeout(cancelBackground, 20*time.Millisecond)
			start := time.Now()
			_, err := c.BeginTx(ctx, nil)
			// Bare, SQLite waits for locks without a look at interrupts.
			e.Logf("BeginTx: %v after %v", err, time.Since(start))
			var busy sqlite3.Error
			e.say("not begun: %t", err == context.DeadlineExceeded || errors.As(err, &busy) && busy.Code == sqlite3.ErrBusy)
			cancel()
		}
		_, err = blocker.Exec("insert into t values(1)")
		must(e, err)
		must(e, blocker.Commit())
		// A transaction left open would fail this.
		_, err = c.ExecContext(cancelBackground, "begin immediate; insert into t values(2); commit")
		e.say("next: %v", err)
		must(e, c.Close())
		e.say("%s, %d connections", e.xs(), e.db.Stats().OpenConnections)
	})
}

// Begin and the end of its context race: either there is a transaction, which
// database/sql rolls back, or there is none. The connection shows no trace.
func TestCancelRacingBegin(t *testing.T) {
	e := cancelAio(t, "_txlock=immediate&_busy_timeout=0")
	e.db.SetMaxOpenConns(1)
	begun := 0
	for i := range 300 {
		ctx, cancel := context.WithCancel(cancelBackground)
		delay := time.Duration(i) * time.Microsecond
		go func() {
			for start := time.Now(); time.Since(start) < delay; {
				runtime.Gosched()
			}
			cancel()
		}()
		tx, err := e.db.BeginTx(ctx, nil)
		if err == nil {
			begun++
			if err := tx.Rollback(); err != nil && err != sql.ErrTxDone {
				t.Fatalf("Rollback: %v", err)
			}
		} else if err != context.Canceled {
			t.Fatalf("BeginTx: %v", err)
		}
		cancel()
		if _, err := e.db.Exec("begin immediate; rollback"); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
	}
	t.Logf("%d of 300 were begun", begun)
}

// A context that ends while COMMIT runs does not undo it, and Commit says so.
func TestCancelInCommit(t *testing.T) {
	inCommit, goOn := make(chan struct{}), make(chan struct{})
	var hook func() int
	cancelCompare(t, "", func(e *cancelEnv) {
		hook = func() int { inCommit <- struct{}{}; <-goOn; return 0 }
		ctx, cancel := context.WithCancel(cancelBackground)
		tx, err := e.db.BeginTx(ctx, nil)
		must(e, err)
		_, err = tx.ExecContext(ctx, "insert into t values(1)")
		must(e, err)
		wait := harness.Go(e, "the call", tx.Commit)
		<-inCommit
		cancel()
		goOn <- struct{}{}
		e.say("commit: %v", wait())
		e.say("rollback: %v", tx.Rollback())
		hook = nil
		e.say("%s, %d connections", e.xs(), e.db.Stats().OpenConnections)
	}, func(c *sqlite3.SQLiteConn) {
		c.RegisterCommitHook(func() int {
			if hook == nil {
				return 0
			}
			return hook()
		})
	})
}

// A write that is interrupted within a transaction makes SQLite roll the
// transaction back by itself. What the bare driver would carry out outside of
// it is refused then, until the transaction is ended.
func TestCancelWriteInTransaction(t *testing.T) {
	for _, commit := range []bool{true, false} {
		for _, more := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit=%t,more=%t", commit, more), func(t *testing.T) {
				e := cancelOpen(t, "aio", "_busy_timeout=0")
				within(t, func() { cancelWriteInTransaction(e, commit, more) })
			})
		}
	}
}

func cancelWriteInTransaction(e *cancelEnv, commit, more bool) {
	refused := func(what string, err error) {
		if !errors.Is(err, aio.ErrRolledBack) {
			e.Errorf("%s: %v", what, err)
		}
		var failed sqlite3.Error
		if !errors.As(err, &failed) || failed.Code != sqlite3.ErrInterrupt {
			e.Errorf("%s: %v, which does not say why", what, err)
		}
	}
	c := e.conn()
	tx, err := c.BeginTx(cancelBackground, nil)
	must(e, err)
	_, err = tx.Exec("insert into t values(1)")
	must(e, err)
	ctx, cancel := context.WithCancel(cancelBackground)
	e.at(1, cancel)
	_, err = tx.ExecContext(ctx, "insert into t select x from "+cancelEndless+" where mark(1) or x > 0")
	if err != context.Canceled {
		e.Errorf("the write that was interrupted: %v", err)
	}
	must(e, aio.Raw(cancelBackground, c, func(inner driver.Conn) error {
		if !inner.(*sqlite3.SQLiteConn).AutoCommit() {
			e.Error("SQLite has not rolled back: the test tests nothing")
		}
		return nil
	}))
	if more {
		_, err = tx.Exec("insert into t values(2)")
		refused("Exec", err)
		refused("Query", tx.QueryRow("select 1").Scan(new(int)))
		_, err = c.ExecContext(cancelBackground, "insert into t values(2)")
		refused("Exec of the connection", err)
	}
	if commit {
		refused("Commit", tx.Commit())
	} else if err := tx.Rollback(); err == nil || err.Error() != "cannot rollback - no transaction is active" {
		e.Errorf("Rollback: %v, want what the bare driver says", err)
	}
	_, err = c.ExecContext(cancelBackground, "begin; insert into t values(3); commit")
	must(e, err)
	must(e, c.Close())
	if xs, n := e.xs(), e.db.Stats().OpenConnections; fmt.Sprint(xs) != "[3]" || n != 1 {
		e.Errorf("%v in the table, %d connections", xs, n)
	}
}

// A read that is interrupted within a transaction leaves it open.
func TestCancelReadInTransaction(t *testing.T) {
	cancelCompare(t, "_busy_timeout=0", func(e *cancelEnv) {
		tx, err := e.db.Begin()
		must(e, err)
		_, err = tx.Exec("insert into t values(1)")
		must(e, err)
		for i, query := range []string{"select count(*) from " + cancelEndless + " where mark(%d) or x > 0",
			"with a(x) as (select x from " + cancelEndless + " where mark(%d) or x > 0) select count(*) from a"} {
			ctx, cancel := context.WithCancel(cancelBackground)
			e.at(int64(i), cancel)
			var n int
			e.say("query: %v", tx.QueryRowContext(ctx, fmt.Sprintf(query, i)).Scan(&n))
		}
		e.say("commit: %v", tx.Commit())
		e.say("%s", e.xs())
	})
}

// The context of the transaction ends while one of its statements runs, with
// that context or another.
func TestCancelTransactionWhileItRuns(t *testing.T) {
	cancelCompare(t, "_busy_timeout=0", func(e *cancelEnv) {
		ctx, cancel := context.WithCancel(cancelBackground)
		tx, err := e.db.BeginTx(ctx, nil)
		must(e, err)
		_, err = tx.Exec("insert into t values(1)")
		must(e, err)
		e.at(1, cancel)
		_, err = tx.ExecContext(ctx, "insert into t select x from "+cancelEndless+" where mark(1) or x > 0")
		e.say("exec: %v", err)
		err = tx.Commit()
		e.say("commit: %t", err == context.Canceled || err == sql.ErrTxDone)
		harness.Until(e, "the pool unused", func() bool { return e.db.Stats().InUse == 0 })
		_, err = e.db.Exec("insert into t values(2)")
		e.say("next: %v, %s", err, e.xs())
	})
}

// A caller who wants one row of many gets it at once, however long the next
// one would take, and the connection is free again.
func TestAbandonedReadEndsAtOnce(t *testing.T) {
	second := "select 1 union all select count(*) from " + cancelEndless
	cancellable, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	for range 20 {
		for _, ctx := range []context.Context{cancelBackground, cancellable} {
			start := time.Now()
			wait := harness.Go(t, "the call", func() error {
				var x int
				if err := c.QueryRowContext(ctx, second).Scan(&x); err != nil || x != 1 {
					return fmt.Errorf("%d, %w", x, err)
				}
				return c.PingContext(cancelBackground)
			})
			must(t, wait())
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("took %v", d)
			}
		}
	}
}

// While other rows are open on the connection an abandoned read must not be
// interrupted, for that would end them too.
func TestAbandonedReadSparesOtherRows(t *testing.T) {
	cancelCompare(t, "", func(e *cancelEnv) {
		c := e.conn()
		defer c.Close()
		others, err := c.QueryContext(cancelBackground, "select x from "+cancelEndless+" limit 1000")
		must(e, err)
		n := 0
		for others.Next() {
			if n++; n == 2 {
				var x int
				start := time.Now()
				err := c.QueryRowContext(cancelBackground, "select 1 union all select nap(300)").Scan(&x)
				e.say("%d, %v", x, err)
				e.Logf("took %v", time.Since(start))
			}
		}
		e.say("others: %d, %v", n, others.Err())
		must(e, others.Close())
	})
}

// INSERT … RETURNING has made all its changes when its first row is there.
// They stay when the caller wants no more rows, and so does the transaction.
func TestReturningReadPartly(t *testing.T) {
	const insert = "insert into t select x from " + cancelEndless + " limit 3000 returning x"
	count := func(e *cancelEnv, q interface {
		QueryRow(string, ...any) *sql.Row
	}) {
		var n int
		e.say("%v, %d rows", q.QueryRow("select count(*) from t").Scan(&n), n)
	}
	for _, read := range []int{0, 1, 2, 20, 2999, 3000} {
		t.Run(fmt.Sprint(read), func(t *testing.T) {
			cancelCompare(t, "", func(e *cancelEnv) {
				readSome := func(rows *sql.Rows, err error) {
					must(e, err)
					for range read {
						if !rows.Next() {
							e.say("%v", rows.Err())
						}
					}
					e.say("%v", rows.Close())
				}
				readSome(e.db.Query(insert))
				count(e, e.db)
				ctx, cancel := context.WithCancel(cancelBackground)
				defer cancel()
				readSome(e.db.QueryContext(ctx, insert))
				count(e, e.db)
				tx, err := e.db.Begin()
				must(e, err)
				_, err = tx.Exec("insert into t values(-1)")
				must(e, err)
				readSome(tx.QueryContext(ctx, insert))
				count(e, tx)
				must(e, tx.Commit())
				count(e, e.db)
			})
		})
	}
}

// One that its commit refuses was not made: whoever reads its first row alone is told, as he is by
// the bare driver.
func TestReturningRefusedByItsCommit(t *testing.T) {
	cancelCompare(t, "_foreign_keys=1", func(e *cancelEnv) {
		_, err := e.db.Exec("create table p(k integer primary key); create table c(k references p deferrable initially deferred)")
		must(e, err)
		const insert = "insert into c values(99) returning k"
		var k int
		e.say("QueryRow: %v", e.db.QueryRow(insert).Scan(&k))
		rows, err := e.db.Query(insert)
		must(e, err)
		e.say("Next: %v", rows.Next())
		e.say("Close: %v", rows.Close())
		s, err := e.db.Prepare(insert)
		must(e, err)
		e.say("Stmt.QueryRow: %v", s.QueryRow().Scan(&k))
		must(e, s.Close())
		must(e, e.db.QueryRow("select count(*) from c").Scan(&k))
		e.say("%d rows", k)
	})
}

// One that is left at its context's end, as its commit takes long, is not taken for made.
func TestReturningLeftInItsCommit(t *testing.T) {
	var refuse atomic.Bool
	e := cancelAio(t, "", func(c *sqlite3.SQLiteConn) {
		c.RegisterCommitHook(func() int {
			if refuse.Load() {
				time.Sleep(400 * time.Millisecond)
				return 1
			}
			return 0
		})
	})
	refuse.Store(true)
	for name, insert := range map[string]string{
		"in its fill":     "insert into t values(1) returning x",
		"as it is closed": "insert into t select x from " + cancelEndless + " limit 300 returning x",
	} {
		ctx, cancel := context.WithTimeout(cancelBackground, 50*time.Millisecond)
		var x int
		err := e.db.QueryRowContext(ctx, insert).Scan(&x)
		cancel()
		must(t, e.db.QueryRow("select count(*) from t").Scan(&x))
		if !errors.Is(err, aio.ErrOutcomeUnknown) || !errors.Is(err, context.DeadlineExceeded) || x != 0 {
			t.Errorf("%s: error %v, and %d rows; want ErrOutcomeUnknown and none", name, err, x)
		}
	}
}

// The same if the rows are cancelled: what was done stays done.
func TestReturningCancelledBetweenRows(t *testing.T) {
	for _, read := range []int{1, 2, 20, 300} {
		t.Run(fmt.Sprint(read), func(t *testing.T) {
			cancelCompare(t, "", func(e *cancelEnv) {
				tx, err := e.db.Begin()
				must(e, err)
				_, err = tx.Exec("insert into t values(-1)")
				must(e, err)
				ctx, cancel := context.WithCancel(cancelBackground)
				rows, err := tx.QueryContext(ctx, "insert into t select x from "+cancelEndless+" limit 3000 returning x")
				must(e, err)
				for range read {
					rows.Next()
				}
				cancel()
				e.say("close: %v", rows.Close())
				var n int
				e.say("%v, %d rows", tx.QueryRow("select count(*) from t").Scan(&n), n)
				e.say("commit: %v", tx.Commit())
				must(e, e.db.QueryRow("select count(*) from t").Scan(&n))
				e.say("%d rows", n)
			})
		})
	}
}

// Rows that are slow in coming can be read as they come, though rows are read
// ahead: the caller has a row before the next one is ready.
func TestSlowRowsArriveAtOnce(t *testing.T) {
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			e := cancelAio(t, "")
			rows, err := e.db.QueryContext(ctx, "select x, nap(100) from "+cancelEndless+" limit 5")
			must(t, err)
			defer rows.Close()
			n := int64(0)
			for ; rows.Next(); n++ {
				if ready := e.naps.Load(); ready != n+1 {
					t.Errorf("row %d came when %d were ready", n+1, ready)
				}
			}
			if n != 5 || rows.Err() != nil {
				t.Errorf("%d rows, %v", n, rows.Err())
			}
		})
	}
}
