//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const endlessQuery = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"

// A call that is stopped ends its own transaction, and nothing stops that: interrupts go
// on until the call is over.

// oneLane returns an engine with one lane on a new file, with a table t.
func oneLane(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_busy_timeout=100", append([]overlay.Option{overlay.WithLanes(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		e.Shutdown(ctx)
	})
	if _, err := e.ExecAsync(context.Background(), "CREATE TABLE t (id INTEGER)").Await(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

// noTxLeft fails the test if the only lane is in a transaction.
func noTxLeft(t *testing.T, e *overlay.Engine, what string) {
	t.Helper()
	ctx := context.Background()
	_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "BEGIN"}, {Query: "ROLLBACK"}}).Await(ctx)
	if err != nil {
		t.Errorf("after %s the lane's connection is still in the transaction: %v", what, err)
	}
}

// What is acknowledged after a batch that was stopped is in the file.
func TestWritesAfterAStoppedBatchAreKept(t *testing.T) {
	bg := context.Background()
	dsn := filepath.Join(t.TempDir(), "a.db") + "?_journal=WAL&_busy_timeout=100"
	e, err := overlay.Open("sqlite3", dsn, overlay.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	e.ExecAsync(bg, "CREATE TABLE t (id INTEGER)").Await(bg)
	ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
	e.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO t VALUES (1)"}, {Query: endlessQuery}}, overlay.InTx(nil)).Await(bg)
	cancel()
	for i := range 10 {
		if _, err := e.ExecAsync(bg, "INSERT INTO t VALUES (?)", 100+i).Await(bg); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Shutdown(bg); err != nil {
		t.Fatal(err)
	}
	e, err = overlay.Open("sqlite3", dsn, overlay.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(bg)
	n, err := overlay.Scalar[int](bg, e, "SELECT count(*) FROM t").Await(bg)
	if n != 10 {
		t.Errorf("10 inserts were acknowledged; after a clean Shutdown the file has %d rows (%v)", n, err)
	}
}

// The rollback of a batch that was stopped is made.
func TestStoppedBatchRollsBack(t *testing.T) {
	e := oneLane(t)
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		_, err := e.BatchAsync(ctx, []overlay.Statement{
			{Query: "INSERT INTO t VALUES (1)"},
			{Query: endlessQuery},
		}, overlay.InTx(nil)).Await(context.Background())
		cancel()
		if err == nil {
			t.Fatal("not stopped")
		}
		noTxLeft(t, e, "a cancelled batch")
		if t.Failed() {
			return
		}
	}
}

// So is that of a function whose statement was stopped.
func TestStoppedFunctionRollsBack(t *testing.T) {
	e := oneLane(t)
	for range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		var rb error
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			tx, err := c.BeginTx(context.Background(), nil)
			if err != nil {
				return 0, err
			}
			defer func() { rb = tx.Rollback() }()
			if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
				return 0, err
			}
			var n int
			return n, tx.QueryRow(endlessQuery).Scan(&n)
		}).Await(context.Background())
		cancel()
		if err == nil {
			t.Fatal("not stopped")
		}
		if rb != nil {
			t.Errorf("Rollback: %v", rb)
		}
		noTxLeft(t, e, "RunInThread")
		if t.Failed() {
			return
		}
	}
}

// A function that leaves a transaction open does not take the writes of others along: its
// connection goes, and what it wrote with it.
func TestTransactionLeftByAFunction(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		e := oneLane(t)
		bg := context.Background()
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		begun := make(chan struct{})
		f := overlay.RunInThread(ctx, e, func(_ context.Context, c *sql.Conn) (int, error) {
			_, err := c.ExecContext(bg, "BEGIN")
			if err == nil {
				_, err = c.ExecContext(bg, "INSERT INTO t VALUES (1)")
			}
			close(begun)
			if err != nil || !stopped {
				return 0, err
			}
			_, err = c.ExecContext(bg, endlessQuery)
			return 0, err
		})
		<-begun
		if stopped {
			cancel()
		}
		if _, err := f.Await(bg); stopped && !errors.Is(err, context.Canceled) || !stopped && !errors.Is(err, overlay.ErrTxLeftOpen) {
			t.Error(err)
		}
		if _, err := e.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg); err != nil {
			t.Error(err)
		}
		noTxLeft(t, e, "a function that has left its own")
		if n, err := overlay.Scalar[int](bg, e, "SELECT sum(id) FROM t").Await(bg); n != 2 || err != nil {
			t.Errorf("stopped %v: the sum is %d, %v", stopped, n, err)
		}
	}
}

// A savepoint is rolled back, so that half a batch is never committed.
func TestStoppedBatchRollsItsSavepointBack(t *testing.T) {
	e := oneLane(t)
	bg := context.Background()
	c, err := e.ConnectAsync(bg).Await(bg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.CloseAsync(bg).Await(bg) }()
	bad := 0
	for range 20 {
		tx, err := c.BeginAsync(bg, nil).Await(bg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(bg, 5*time.Millisecond)
		c.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO t VALUES (7)"}, {Query: endlessQuery}}, overlay.InTx(nil)).Await(bg)
		cancel()
		if n, err := overlay.Scalar[int](bg, c, "SELECT count(*) FROM t WHERE id = 7").Await(bg); n != 0 {
			bad++
			_ = err
		}
		tx.RollbackAsync(bg).Await(bg)
	}
	if bad > 0 {
		t.Errorf("%d of 20 cancelled batches InTx have left their inserts in the outer transaction", bad)
	}
}
