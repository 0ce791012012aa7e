//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// gated returns an engine on a new file whose connections have a function gate(i): it returns i
// after open was called, and nothing can interrupt it before that.
func gated(t *testing.T) (e *overlay.Engine, open func()) {
	t.Helper()
	gate := make(chan struct{})
	open = sync.OnceFunc(func() { close(gate) })
	d := aio.Wrap(&sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("gate", func(i int64) int64 { <-gate; return i }, false)
	}})
	c, err := d.(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "a.db") + "?_journal=WAL")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	e = overlay.New(db, overlay.WithLanes(1))
	t.Cleanup(func() { e.Shutdown(background) })
	t.Cleanup(open)
	must(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER)"))
	return e, open
}

// A call that was left begins a transaction: nobody who has the connection next is in it.
func TestNobodyJoinsTheTransactionOfACallThatWasLeft(t *testing.T) {
	warnings.Record(t)
	const text = "BEGIN; SELECT gate(1)"
	for name, leave := range map[string]func(context.Context, *overlay.Engine) error{
		"Engine": func(ctx context.Context, e *overlay.Engine) error { return second(e.ExecContext(ctx, text)) },
		"SyncDB": func(ctx context.Context, e *overlay.Engine) error { return second(e.SyncDB().ExecContext(ctx, text)) },
	} {
		e, open := gated(t)
		e.SyncDB().SetMaxOpenConns(1)
		wantError(t, leave(atMost(t, 20*time.Millisecond), e), context.DeadlineExceeded)
		time.AfterFunc(20*time.Millisecond, open)
		keepsWrites(t, e, name)
	}
}

// A Conn on a connection whose last call was left, and still runs, is in no transaction. (Under the
// race detector: and its taker waits for that call.)
func TestConnectWhileACallThatWasLeftRuns(t *testing.T) {
	warnings.Record(t)
	e, open := gated(t)
	e.SyncDB().SetMaxOpenConns(1)
	_, err := e.SyncDB().ExecContext(atMost(t, 20*time.Millisecond), "BEGIN; SELECT gate(1)")
	wantError(t, err, context.DeadlineExceeded)
	time.AfterFunc(20*time.Millisecond, open)
	c := must(t, e.ConnectAsync(background))
	must(t, c.ExecAsync(background, "INSERT INTO t VALUES (1)"))
	if c.InTransaction() {
		t.Error("the Conn is in a transaction that it has not begun")
	}
	must(t, c.CloseAsync(background))
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// RunCallable does not wait for a call that its function has left in a transaction.
func TestRunCallableDoesNotWaitForACallThatWasLeft(t *testing.T) {
	warnings.Record(t)
	e, _ := gated(t)
	ctx, done := atMost(t, 20*time.Millisecond), make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = e.RunCallable(ctx, func(sc *sql.Conn) error {
			if err := second(sc.ExecContext(background, "BEGIN")); err != nil {
				return err
			}
			return second(sc.ExecContext(ctx, "SELECT gate(1)"))
		})
	}()
	within(t, "the end of RunCallable", done)
	wantError(t, err, context.DeadlineExceeded)
}

// ConnectAsync does not wait for a call that somebody has left in a transaction on the pool.
func TestConnectDoesNotWaitForACallThatWasLeft(t *testing.T) {
	warnings.Record(t)
	e, _ := gated(t)
	sc, err := e.SyncDB().Conn(background)
	noError(t, err)
	noError(t, second(sc.ExecContext(background, "BEGIN")))
	wantError(t, second(sc.ExecContext(atMost(t, 20*time.Millisecond), "SELECT gate(1)")), context.DeadlineExceeded)
	noError(t, sc.Close())
	f := e.ConnectAsync(atMost(t, 20*time.Millisecond))
	within(t, "the end of ConnectAsync", f.Done())
	if c, err, _ := f.TryResult(); err == nil {
		must(t, c.CloseAsync(background))
	}
}

// The rows of a fetch that was left are those of the next ones.
func TestRowsOfAFetchThatWasLeft(t *testing.T) {
	e, open := gated(t)
	c := must(t, e.ConnectAsync(background))
	r := must(t, c.StreamAsync(background, "WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM q WHERE x < 600) SELECT CASE WHEN x = 400 THEN gate(x) ELSE x END FROM q"))
	must(t, c.ScalarAsync(background, "SELECT 1")) // after what is being read ahead
	wantError(t, failure(t, r.FetchManyAsync(atMost(t, 20*time.Millisecond), 400)), context.DeadlineExceeded)
	next := int64(1)
	want := func(rows ...overlay.Row) {
		for _, row := range rows {
			if x := row.Values()[0]; x != next {
				t.Fatalf("row %v, want %d", x, next)
			}
			next++
		}
	}
	want(must(t, r.FetchOneAsync(background)))
	open()
	must(t, c.ScalarAsync(background, "SELECT 1")) // after the fetch
	want(must(t, r.FetchOneAsync(background)))
	want(must(t, r.FetchAllAsync(background))...)
	if next != 601 {
		t.Errorf("the last row is %d, want 600", next-1)
	}
	must(t, c.CloseAsync(background))
}
