//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// endedTxInThread has a function begin a transaction whose context ends: database/sql rolls it
// back, in a goroutine of its own, and closes the connection.
func endedTxInThread(to overlay.Target) error {
	ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
	defer cancel()
	return second(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer tx.Rollback()
		var n int
		return n, tx.QueryRowContext(ctx, endlessQuery).Scan(&n)
	}).Await(background))
}

// A call after such a function does not become part of its transaction.
func TestNoCallJoinsATransactionThatHasEnded(t *testing.T) {
	e := oneLane(t)
	for i := range 300 {
		endedTxInThread(e)
		if _, err := e.ExecAsync(background, "INSERT INTO t VALUES (?)", i).Await(background); err != nil {
			continue
		}
		time.Sleep(2 * time.Millisecond)
		if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t WHERE id = ?", i)); n != 1 {
			t.Fatalf("run %d: an insert was acknowledged and is gone", i)
		}
	}
}

// Nor is it made on a connection that is closed.
func TestNoCallOnAClosedConnection(t *testing.T) {
	e := oneLane(t)
	bad := map[string]int{}
	for range 300 {
		endedTxInThread(e)
		if _, err := e.ExecAsync(background, "INSERT INTO t VALUES (1)").Await(background); err != nil {
			bad[err.Error()]++
		}
	}
	if len(bad) > 0 {
		t.Errorf("errors of unrelated calls: %v", bad)
	}
}

// A Conn is told that its connection is gone.
func TestConnOnAClosedConnection(t *testing.T) {
	e := oneLane(t)
	errs := map[string]int{}
	for range 300 {
		c := must(t, e.ConnectAsync(background))
		endedTxInThread(c)
		if _, err := c.ExecAsync(background, "INSERT INTO t VALUES (1)").Await(background); err != nil {
			errs[err.Error()]++
		}
		c.CloseAsync(background).Await(background)
	}
	t.Log(errs)
	for text := range errs {
		if strings.Contains(text, "memory") {
			t.Error(text)
		}
	}
}

// A function's end does not wait for a lock that database/sql holds while it waits for
// the thread.
func TestFunctionEndsWhileDatabaseSQLRollsBack(t *testing.T) {
	d := newScripted()
	slow := make(chan struct{}, 1)
	d.On("Rows.Close", func(drivertest.Call) error {
		select {
		case slow <- struct{}{}:
		default:
		}
		time.Sleep(200 * time.Millisecond)
		return nil
	})
	db := d.openDB()
	e := overlay.New(db, overlay.WithLanes(1))
	c := must(t, e.ConnectAsync(background))
	ctx1, cancel1 := context.WithCancel(background)
	ctx2, cancel2 := context.WithCancel(background)
	_, err := c.SyncConn().BeginTx(ctx2, nil)
	noError(t, err)
	rows, err := c.SyncConn().QueryContext(ctx1, "rows 1000")
	noError(t, err)
	_ = rows
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		cancel1()
		time.Sleep(50 * time.Millisecond) // the rows' close is postponed
		return 0, nil
	})
	go func() {
		<-slow // the function has returned, and the postponed close is at work
		cancel2()
	}()
	select {
	case <-f.Done():
	case <-time.After(3 * time.Second):
		buf := make([]byte, 1<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "sql.(*Conn).Raw") || strings.Contains(g, "sql.(*Tx).rollback") {
				t.Log(g)
			}
		}
		t.Fatal("RunInThread hangs")
	}
	rows.Close()
	must(t, c.CloseAsync(background))
	noError(t, e.Shutdown(background))
	db.Close()
}
