package driver_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
)

// The rows read ahead must not land on those that the caller has yet to take,
// however small the batches.
func TestReadingAheadKeepsSmallBatchesApart(t *testing.T) {
	for _, size := range []int{2, 3, 8, 16} {
		_, db := cancelStart(t, cancelKind{features: drivertest.Modern}, aio.WithBatch(size, 1<<20))
		conn, _, _ := cancelConn(t, db)
		rows, err := conn.QueryContext(cancelBackground, "sets 2x50")
		must(t, err)
		rows.NextResultSet() // has two columns
		for want := 1; rows.Next(); want++ {
			cancelNumber(t, conn) // comes after the rows that are being read ahead
			var set, id int
			must(t, rows.Scan(&set, &id))
			if id != want {
				t.Fatalf("batches of %d: row %d is %d", size, want, id)
			}
		}
		must(t, rows.Err())
		must(t, rows.Close())
		must(t, conn.Close())
	}
}

// A panic in rows that are read ahead waits until the caller comes to its row.
// Afterwards there are no more rows.
func TestPanicComesAtItsRow(t *testing.T) {
	for _, at := range []int{1, 2, 3, 5, 9} {
		d, db := cancelStart(t, cancelKind{features: drivertest.Modern})
		d.On("Rows.Next", drivertest.After(int64(at-1), drivertest.First(1, drivertest.Panic("boom"))))
		conn, _, _ := cancelConn(t, db)
		rows, err := conn.QueryContext(cancelBackground, "rows 10")
		must(t, err)
		read := 0
		func() {
			defer func() {
				if v := recover(); v != "boom" || read != at-1 {
					t.Errorf("panic at %d: recovered %v after %d rows", at, v, read)
				}
			}()
			for rows.Next() {
				read++
				cancelNumber(t, conn) // comes after the rows that are being read ahead
			}
		}()
		if rows.Next() {
			t.Errorf("panic at %d: a row after the panic", at)
		}
		must(t, rows.Close())
		must(t, conn.PingContext(cancelBackground))
		must(t, conn.Close())
	}
}

// Rows whose context has ended are stopped by an interrupt, whatever their
// query, also while nobody waits for the row that the driver is busy with, and
// also if the context ends only after they were closed.
func TestCancelBetweenRowsStopsTheRowAhead(t *testing.T) {
	for i := range 16 {
		query := "rows 20 block at 3"
		if i&1 != 0 {
			query = "slow 0s rows 20 block at 3" // may write, the Reader says
		}
		reader, others, closed := i&2 != 0, i&4 != 0, i&8 != 0
		t.Run(fmt.Sprintf("%s,reader=%t,others=%t,closed=%t", query, reader, others, closed), func(t *testing.T) {
			d, db := cancelStart(t, cancelKind{features: drivertest.Modern, reader: reader})
			conn, _, _ := cancelConn(t, db)
			defer conn.Close()
			if others {
				rows, err := conn.QueryContext(cancelBackground, "rows 20 protected")
				must(t, err)
				defer rows.Close()
			}
			ctx, cancel := context.WithCancel(cancelBackground)
			defer cancel()
			rows, err := conn.QueryContext(ctx, query)
			must(t, err)
			cancelNumber(t, conn) // comes after the first batch, which has two rows
			if ok := rows.Next(); !ok || !rows.Next() {
				t.Fatal(rows.Err())
			}
			harness.Until(t, "the row that blocks", func() bool { return cancelNexts(d, query) == 3 })
			start := time.Now()
			if closed {
				time.AfterFunc(20*time.Millisecond, cancel)
			} else {
				cancel()
			}
			must(t, harness.Go(t, "Rows.Close", rows.Close)())
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("the end took %v", d)
			}
			must(t, conn.PingContext(cancelBackground))
		})
	}
}

// cancelNexts counts the rows that were asked for.
func cancelNexts(d *cancelDriver, query string) (n int) {
	for _, c := range d.Log() {
		if c.Method == "Rows.Next" && c.Query == query {
			n++
		}
	}
	return n
}

// A call whose context ends while the thread is still busy with what came before
// it is never made, and its caller does not wait.
func TestCallThatEndsBeforeItBeginsIsNotMade(t *testing.T) {
	d, db := cancelStart(t, cancelKind{features: drivertest.LikeSQLite, quiet: true, settler: true})
	conn, w, _ := cancelConn(t, db)
	defer conn.Close()

	// The rows that the worker has read to their end are closed before the next
	// call, which takes as long as free says.
	rows, err := conn.QueryContext(cancelBackground, "rows 1")
	must(t, err)
	eventually(t, func() bool { return cancelNexts(d, "rows 1") == 2 }, "the end of the rows")
	must(t, w.Run(cancelBackground, func() {})) // after the hop that reads them
	must(t, rows.Close())
	ctx, cancel := context.WithCancel(cancelBackground)
	free := make(chan struct{})
	d.On("Rows.Close", drivertest.First(1, func(drivertest.Call) error { cancel(); <-free; return nil }))
	executed := false
	remove := d.On("Conn.ExecContext", func(drivertest.Call) error { executed = true; return nil })
	if _, err := conn.ExecContext(ctx, "noop"); err != context.Canceled {
		t.Fatal(err)
	}
	close(free)
	must(t, conn.PingContext(cancelBackground))
	remove()
	if executed {
		t.Error("the call was made")
	}
}

// What Settle fails with is what the next call returns.
func TestSettleFails(t *testing.T) {
	d, db := cancelStart(t, cancelKind{features: drivertest.Modern, settler: true})
	conn, _, _ := cancelConn(t, db)
	defer conn.Close()
	calls := map[string]func() error{
		"Exec": func() error { _, err := conn.ExecContext(cancelBackground, "noop"); return err },
		"Query": func() error {
			rows, err := conn.QueryContext(cancelBackground, "rows 1")
			if err == nil {
				rows.Close()
			}
			return err
		},
		"Ping": func() error { return conn.PingContext(cancelBackground) },
		"Prepare": func() error {
			s, err := conn.PrepareContext(cancelBackground, "noop")
			if err == nil {
				s.Close()
			}
			return err
		},
	}
	for name, call := range calls {
		ctx, cancel := context.WithCancel(cancelBackground)
		remove := d.On("Conn.ExecContext", func(drivertest.Call) error { cancel(); return nil })
		if _, err := conn.ExecContext(ctx, "interruptible"); err != context.Canceled {
			t.Fatal(err)
		}
		remove()
		d.settleFails.Store(true)
		before := len(d.Log())
		if err := call(); err != errCancelSettle {
			t.Errorf("%s: %v", name, err)
		}
		if late := d.Log()[before:]; len(late) > 0 && late[0].Method != "Conn.IsValid" {
			t.Errorf("%s came to the driver: %v", name, late)
		}
		d.settleFails.Store(false)
		must(t, call())
	}
}
