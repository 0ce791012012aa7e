package overlay_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// What is acknowledged after a batch that was stopped is in the file.
func TestWritesAfterAStoppedBatchAreKept(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "a.db") + "?_journal=WAL&_busy_timeout=100"
	open := func() *overlay.Engine {
		e, err := overlay.Open("sqlite3", dsn, overlay.WithLanes(1))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	e := open()
	must(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER)"))
	ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
	defer cancel()
	failure(t, e.BatchAsync(ctx, insertAndNeverEnd, overlay.InTx(nil)))
	for i := range 10 {
		must(t, e.ExecAsync(background, "INSERT INTO t VALUES (?)", 100+i))
	}
	noError(t, e.Shutdown(background))
	e = open()
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 10 {
		t.Errorf("10 inserts were acknowledged; after a clean Shutdown the file has %d rows", n)
	}
	noError(t, e.Shutdown(background))
}

// The rollback of a batch that was stopped is made.
func TestStoppedBatchRollsBack(t *testing.T) {
	e := oneLane(t)
	for range 20 {
		ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
		wantError(t, failure(t, e.BatchAsync(ctx, insertAndNeverEnd, overlay.InTx(nil))), context.DeadlineExceeded)
		cancel()
		noTxLeft(t, e, "a stopped batch")
	}
}

var insertAndNeverEnd = []overlay.Statement{{Query: "INSERT INTO t VALUES (1)"}, {Query: endlessQuery}}

// So is that to its savepoint, so that half a batch is never committed.
func TestStoppedBatchRollsItsSavepointBack(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	for range 20 {
		tx := must(t, c.BeginAsync(background, nil))
		must(t, c.ExecAsync(background, "INSERT INTO t VALUES (7)"))
		ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
		wantError(t, failure(t, c.BatchAsync(ctx, insertAndNeverEnd, overlay.InTx(nil))), context.DeadlineExceeded)
		cancel()
		// An interrupted read leaves the transaction, an interrupted write may end it.
		n, err := overlay.Scalar[int](background, c, "SELECT count(*) FROM t WHERE id = 1").Await(background)
		if n != 0 || err != nil && !errors.Is(err, overlay.ErrRolledBack) {
			t.Errorf("%d rows of a batch that was stopped, %v", n, err)
		}
		must(t, tx.RollbackAsync(background))
	}
	must(t, c.CloseAsync(background))
}

// panics is an argument that panics when its value is asked for.
type panics struct{ _ int }

func (panics) Value() (driver.Value, error) { panic("no value") }

// A batch that panics leaves no transaction open.
func TestPanicInABatch(t *testing.T) {
	e, db := onFile(t, overlay.WithLanes(1))
	_, err := e.BatchAsync(background, []overlay.Statement{
		{Query: "insert into t values (1)"},
		{Query: "insert into t values (?)", Args: []any{panics{}}},
	}, overlay.InTx(nil)).Await(background)
	var p *threadpin.PanicError
	if !errors.As(err, &p) {
		t.Fatalf("the batch gave %v", err)
	}
	if _, err := db.Exec("insert into t values (1)"); err != nil {
		t.Fatal(err)
	}
}

// The results of a batch that was stopped are contexts' errors, not the driver's.
func TestResultsOfAStoppedBatch(t *testing.T) {
	e := oneLane(t)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	results, err := e.BatchAsync(ctx, []overlay.Statement{{Query: endlessQuery}, {Query: "SELECT 1"}}).Await(background)
	wantError(t, err, context.DeadlineExceeded)
	for _, r := range results {
		wantError(t, r.Err, context.DeadlineExceeded)
	}
}

// A cancelled batch of which a statement has an unknown outcome says so.
func TestCancelledBatchWithAnUnknownOutcome(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	ctx, cancel := context.WithCancel(background)
	d.On("Conn.ExecContext", func(drivertest.Call) error {
		cancel()
		time.Sleep(20 * time.Millisecond) // the batch is being stopped
		return fmt.Errorf("%w: %w", overlay.ErrOutcomeUnknown, context.Canceled)
	})
	results, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "noop"}, {Query: "noop"}}).Await(background)
	wantError(t, err, overlay.ErrOutcomeUnknown)
	wantError(t, results[0].Err, overlay.ErrOutcomeUnknown)
	noError(t, e.Shutdown(background))
}
