package ledger_test

import (
	"context"
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

// What a batch tells of a statement whose answer was lost is that it is unknown, as the
// batch's own error does.
func TestReproBatchResultWithoutAnswer(t *testing.T) {
	db := mariaDB(t)
	n, through := behindNetwork(t, db)
	e := through.open(t)
	must(t, "ping", e.ScalarAsync(background, "SELECT 1"))
	heard := swallow(n, "INSERT INTO ledger")
	f := e.BatchAsync(background, []overlay.Statement{{Query: insert, Args: []any{1}}})
	arrives(t, "the statement", heard)
	n.Cut()
	results, err := outcome(t, "the batch", f)
	if !errors.Is(err, overlay.ErrOutcomeUnknown) {
		t.Errorf("the batch: %v", err)
	}
	if len(results) != 1 || !errors.Is(results[0].Err, overlay.ErrOutcomeUnknown) {
		t.Errorf("its statement: %v; want ErrOutcomeUnknown. Row 1 is there %d times", results, db.rows(t)[1])
	}
}
