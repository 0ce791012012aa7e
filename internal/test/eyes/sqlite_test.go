package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/sqlaio/sqlaio/overlay"
)

const long = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000000000) SELECT max(n) FROM c"

// A text of several statements is stopped in a later one.
func TestScriptStopped(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	db := aio(t, "sqlite3", dsn)
	text := "INSERT INTO t VALUES (1); INSERT INTO t SELECT n FROM (" + strings.Replace(long, "max(n)", "max(n) AS n", 1) + ")"
	for name, f := range map[string]func(context.Context) error{
		"ExecAsync": func(ctx context.Context) error { _, err := e.ExecAsync(ctx, text).Await(bg); return err },
		"sql.DB":    func(ctx context.Context) error { _, err := db.ExecContext(ctx, text); return err },
	} {
		bare.Exec("DELETE FROM t")
		ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
		err := f(ctx)
		cancel()
		t.Logf("%s: %v (unknown: %v); rows: %d", name, err, errors.Is(err, overlay.ErrOutcomeUnknown), rows(t, bare, "SELECT count(*) FROM t"))
	}
}

// The commit of a streamed write fails as it is closed.
func TestStreamedWriteBusy(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=DELETE&_busy_timeout=50", "CREATE TABLE t (id INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (-1)")
	e := engine(t, "sqlite3", dsn)
	const insert = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100000) INSERT INTO t SELECT n FROM c WHERE true RETURNING id"
	reader, err := bare.Begin()
	ok(t, "begin", err)
	var n int
	ok(t, "read", reader.QueryRow("SELECT count(*) FROM t").Scan(&n)) // holds a SHARED lock
	db, err := sql.Open("sqlite3", dsn)
	ok(t, "open", err)
	defer db.Close()
	rs, err := db.Query(insert)
	ok(t, "query", err)
	rs.Next()
	t.Logf("bare: rows.Close says %v", rs.Close())
	r, err := e.StreamAsync(bg, insert).Await(bg)
	ok(t, "stream", err)
	_, err = r.FetchOneAsync(bg).Await(bg)
	t.Logf("fetch: %v", err)
	_, err = r.CloseAsync(bg).Await(bg)
	reader.Rollback()
	n = rows(t, bare, "SELECT count(*) FROM t WHERE id > 0")
	t.Logf("overlay: CloseAsync says %v; rows: %d", err, n)
	if err == nil && n == 0 {
		t.Error("LOST")
	}
}

// A callback ends its goroutine, as t.FailNow does.
func TestGoexitInDispatcher(t *testing.T) {
	dsn, _ := file(t, "")
	e, err := overlay.Open("sqlite3", dsn, overlay.WithDispatcher(func(fn func()) { fn() }))
	ok(t, "open", err)
	f := e.ExecAsync(bg, "SELECT 1")
	f.OnDone(func(sql.Result, error) { runtime.Goexit() })
	f.Await(bg)
	time.Sleep(50 * time.Millisecond)
	called := make(chan bool, 1)
	e.ExecAsync(bg, "SELECT 1").OnDone(func(sql.Result, error) { called <- true })
	select {
	case <-called:
	case <-time.After(2 * time.Second):
		t.Error("a later callback is not called")
	}
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(bg) }()
	select {
	case err := <-done:
		t.Log("Shutdown:", err)
	case <-time.After(3 * time.Second):
		t.Error("Shutdown(Background) does not return")
	}
}

func init() {
	sql.Register("sqlite3slow", &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		c.RegisterRollbackHook(func() { time.Sleep(300 * time.Millisecond) })
		return nil
	}})
}

// A call on the SyncConn of a Conn that is being closed reaches the next user's
// transaction on the connection.
func TestSyncConnAfterClose(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3slow", dsn, overlay.WithLanes(1))
	e.SyncDB().SetMaxOpenConns(1)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	sc := c.SyncConn()
	tx, err := sc.BeginTx(bg, nil)
	ok(t, "begin", err)
	_, err = tx.Exec("INSERT INTO t VALUES (0)")
	ok(t, "insert", err)
	closing := c.CloseAsync(bg) // rolls back, which takes 300 ms
	time.Sleep(100 * time.Millisecond)
	neighbour := e.ConnectAsync(bg)
	result := make(chan error, 1)
	go func() {
		_, err := sc.BeginTx(bg, nil)
		result <- err
	}()
	closing.Await(bg)
	n, err := neighbour.Await(bg)
	ok(t, "neighbour", err)
	t.Log("late SyncConn.BeginTx:", <-result)
	t.Log("neighbour's connection in a transaction (as far as it knows):", n.InTransaction())
	r, err := n.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
	t.Log("neighbour's insert:", r != nil, err)
	got := rows(t, bare, "SELECT count(*) FROM t WHERE id = 2")
	t.Log("neighbour's row for others:", got)
	n.CloseAsync(bg).Await(bg)
	got = rows(t, bare, "SELECT count(*) FROM t WHERE id = 2")
	t.Log("neighbour's row after its CloseAsync:", got)
	if err == nil && got != 1 {
		t.Error("LOST: the neighbour's acknowledged insert")
	}
}

// The Rollback of a transaction that the database has ended reaches the next one.
func TestOldRollback(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER UNIQUE)", "INSERT INTO t VALUES (0)")
	for _, name := range []string{"bare", "aio"} {
		bare.Exec("DELETE FROM t WHERE id > 0")
		db := bare
		if name == "aio" {
			db = aio(t, "sqlite3", dsn)
		}
		c, err := db.Conn(bg)
		ok(t, "conn", err)
		tx1, err := c.BeginTx(bg, nil)
		ok(t, "begin", err)
		_, err = tx1.Exec("INSERT OR ROLLBACK INTO t VALUES (0)")
		t.Log(name, "tx1:", err)
		tx2, err := c.BeginTx(bg, nil)
		ok(t, "begin", err)
		_, err = tx2.Exec("INSERT INTO t VALUES (1)")
		t.Log(name, "tx2, first insert:", err)
		t.Log(name, "tx1.Rollback:", tx1.Rollback())
		_, err = tx2.Exec("INSERT INTO t VALUES (2)")
		t.Log(name, "tx2, second insert:", err)
		t.Log(name, "tx2.Commit:", tx2.Commit())
		c.Close()
		t.Log(name, "rows 1, 2:", rows(t, bare, "SELECT count(*) FROM t WHERE id = 1"), rows(t, bare, "SELECT count(*) FROM t WHERE id = 2"))
	}
}

func TestDeadlines(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER UNIQUE)")
	e := engine(t, "sqlite3", dsn)
	slow := func(context.Context, *sql.Conn) (int, error) { time.Sleep(2 * time.Second); return 0, nil }
	for name, f := range map[string]func(context.Context) error{
		"RunInThread": func(ctx context.Context) error { _, err := overlay.RunInThread(ctx, e, slow).Await(ctx); return err },
		"WithConn": func(ctx context.Context) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := overlay.RunInThread(ctx, c, slow).Await(ctx)
				return err
			})
		},
		"WithTx": func(ctx context.Context) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := overlay.RunInThread(ctx, c, slow).Await(ctx)
				return err
			})
		},
		"WithTx, WithNested x3": func(ctx context.Context) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
						return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
							_, err := overlay.RunInThread(ctx, c, slow).Await(ctx)
							return err
						})
					})
				})
			})
		},
		"SyncConn": func(ctx context.Context) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				overlay.RunInThread(bg, c, slow)
				time.Sleep(10 * time.Millisecond)
				_, err := c.SyncConn().ExecContext(ctx, "INSERT INTO t VALUES (1)")
				return err
			})
		},
		"SyncConn.BeginTx": func(ctx context.Context) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				tx, err := c.SyncConn().BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				overlay.RunInThread(bg, c, slow)
				time.Sleep(10 * time.Millisecond)
				_, err = tx.ExecContext(ctx, "INSERT INTO t VALUES (1)")
				return fmt.Errorf("%w; %v", err, tx.Rollback())
			})
		},
	} {
		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		start := time.Now()
		err := f(ctx)
		t.Logf("%s: %v after its deadline: %v", name, time.Since(start)-200*time.Millisecond, err)
		cancel()
		time.Sleep(2200 * time.Millisecond)
	}
}

// QueryRow of a SELECT whose second row is slow: it is stopped, and nobody is to hear of it.
func TestQueryRowOfSlowSelectSQLite(t *testing.T) {
	dsn, _ := file(t, "", "CREATE TABLE t (id INTEGER)")
	db := aio(t, "sqlite3", dsn)
	e := engine(t, "sqlite3", dsn)
	slow := "SELECT 1 UNION ALL SELECT n FROM (" + strings.Replace(strings.Replace(long, "max(n)", "max(n) AS n", 1), "10000000000", "200000", 1) + ")"
	failed := map[string]int{}
	for n := range 200 {
		var id int
		var err error
		switch n % 4 {
		case 0:
			err = db.QueryRow(slow).Scan(&id)
		case 1:
			ctx, cancel := context.WithTimeout(bg, 10*time.Second)
			err = db.QueryRowContext(ctx, slow).Scan(&id)
			cancel()
		case 2:
			tx, berr := db.Begin()
			ok(t, "begin", berr)
			_, berr = tx.Exec("INSERT INTO t VALUES (1)")
			ok(t, "insert", berr)
			err = tx.QueryRow(slow).Scan(&id)
			if cerr := tx.Commit(); cerr != nil {
				t.Error("commit:", cerr)
			}
		case 3:
			var r *overlay.Result
			r, err = e.StreamAsync(bg, slow).Await(bg)
			ok(t, "stream", err)
			_, err = r.FirstAsync(bg).Await(bg)
			r.CloseAsync(bg).Await(bg)
		}
		if err != nil {
			failed[fmt.Sprint(n%4, err)]++
		}
	}
	t.Log("of 200 failed:", failed, "; rows", rows(t, db, "SELECT count(*) FROM t"))
}

// Cancelled reads in transactions leave what was written alone.
func TestReadsStoppedInTx(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	db := aio(t, "sqlite3", dsn)
	slow := strings.Replace(long, "10000000000", "100000", 1)
	results := map[string]int{}
	made := 0
	for n := range 200 {
		child, cancel := context.WithCancel(bg)
		time.AfterFunc(time.Duration(n*100)*time.Microsecond, cancel)
		var err error
		if n%2 == 0 {
			err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (?)", n).Await(ctx)
				ok(t, "insert", err)
				_, err = overlay.Scalar[int](child, c, slow).Await(ctx)
				results[fmt.Sprint("read: ", err)]++
				_, err = c.ExecAsync(ctx, "INSERT INTO t VALUES (?)", n).Await(ctx)
				results[fmt.Sprint("insert: ", err)]++
				return err
			})
		} else {
			tx, err := db.Begin()
			ok(t, "begin", err)
			_, err = tx.Exec("INSERT INTO t VALUES (?)", n)
			ok(t, "insert", err)
			var x int
			results[fmt.Sprint("read: ", tx.QueryRowContext(child, slow).Scan(&x))]++
			_, err = tx.Exec("INSERT INTO t VALUES (?)", n)
			results[fmt.Sprint("insert: ", err)]++
			if err == nil {
				err = tx.Commit()
			}
			tx.Rollback()
			if err != nil {
				results[err.Error()]++
				continue
			}
		}
		cancel()
		if err == nil {
			made++
		}
	}
	t.Log(results, "made", made, "rows", rows(t, bare, "SELECT count(*) FROM t"))
	if rows(t, bare, "SELECT count(*) FROM t") != 2*made {
		t.Error("WRONG")
	}
}
