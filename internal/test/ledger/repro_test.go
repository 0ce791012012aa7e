package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A call whose context has ended while it waited in the queue is not begun.
func TestReproEndedInTheQueue(t *testing.T) {
	db := newBank("ledgerbank")
	e := db.open(t, overlay.WithLanes(1))
	for i := range 2000 {
		ctx, cancel := context.WithCancel(background)
		release := hold(t, e)
		f := e.ExecAsync(ctx, insert, int64(i+1))
		cancel() // before the thread is free
		release()
		if _, err := outcome(t, "insert", f); !errors.Is(err, context.Canceled) {
			t.Fatalf("try %d: %v; want context.Canceled", i, err)
		}
	}
}

// BEGIN in a transaction commits it on MariaDB: that is an end like any other.
func TestReproBeginInWithTx(t *testing.T) {
	db := mariaDB(t)
	e := db.open(t)
	err := e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		if err := errOf(c.ExecAsync(ctx, insert, 1).Await(ctx)); err != nil {
			return err
		}
		if err := errOf(c.ExecAsync(ctx, "BEGIN").Await(ctx)); err != nil {
			return err
		}
		if err := errOf(c.ExecAsync(ctx, insert, 2).Await(ctx)); err == nil {
			t.Error("row 2 was written in another transaction than row 1")
		}
		return errOnFall
	})
	if have := db.rows(t); have[1] == 1 && errors.Is(err, errOnFall) && err.Error() == errOnFall.Error() {
		t.Errorf("WithTx says only %q, and row 1 is committed", err)
	}
}

// A sql.Tx whose Rollback fails does not go back to the pool with its transaction open.
func TestReproRollbackOfSQLTxFails(t *testing.T) {
	db := newBank("ledgerplain")
	e := db.open(t)
	db.bank.times("rollback", 3, fails(errBank))
	tx, err := e.SyncDB().Begin()
	noError(t, "begin", err)
	t.Log("Rollback: ", tx.Rollback())
	id := db.l.next("a later caller")
	db.l.told(id, errOf(e.SyncDB().Exec(insert, id)))
	db.check(t)
}

// A function's COMMIT whose answer did not come is unknown to the function, too.
func TestReproCommitSwallowedInAFunction(t *testing.T) {
	db := mariaDB(t)
	n, through := behindNetwork(t, db)
	e := through.open(t)
	must(t, "ping", e.ScalarAsync(background, "SELECT 1"))
	n.swallow("COMMIT")
	ctx, cancel := context.WithTimeout(background, soonEnough)
	defer cancel()
	told := make(chan error, 1)
	f := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		tx, err := c.BeginTx(ctx, nil)
		if err == nil {
			tx.Exec(insert, 1)
			err = tx.Commit()
		}
		told <- err
		return struct{}{}, err
	})
	err := within(t, "Commit", func() error { return <-told })
	if !errors.Is(err, overlay.ErrOutcomeUnknown) {
		t.Errorf("Commit in the function: %v; want ErrOutcomeUnknown. Row 1 is there %d times", err, db.rows(t)[1])
	}
	_, err = outcome(t, "the function", f)
	t.Log("the future: ", err)
	n.cut()
}

// A savepoint that could not be rolled back is not committed with the outer transaction.
func TestReproRollbackToFails(t *testing.T) {
	for _, fail := range []error{errBank, driver.ErrBadConn} {
		db := newBank("ledgerplain")
		e := db.open(t)
		db.bank.once("rollback", fails(fail))
		outer := db.l.begin("outer")
		err := e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			g := outer.nested("nested")
			g.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				g.row(ctx, c)
				return errOnFall
			}))
			return nil
		})
		t.Logf("ROLLBACK TO: %v; WithTx: %v", fail, outer.ended(err))
		db.check(t)
	}
}

// An engine whose every call was answered, or cancelled, shuts down without an error: that
// a connection was hung up is not the application's affair.
func TestReproShutdownAfterHangUp(t *testing.T) {
	db := mariaDB(t)
	for i := range 300 {
		e, err := overlay.Open(db.driver, db.dsn)
		noError(t, "open", err)
		ctx, cancel := context.WithTimeout(background, time.Duration(i%30)*100*time.Microsecond)
		e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
			return errOf(c.ExecAsync(ctx, insert, 1).Await(ctx))
		})
		cancel()
		if err := e.Shutdown(bounded(t)); err != nil {
			t.Fatalf("try %d: Shutdown: %v", i, err)
		}
	}
}
