//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// ColumnTypes does not wait for a function that has the thread, which may want a lock that
// database/sql holds meanwhile: it knows nothing then.
func TestColumnTypesWhileAFunctionRuns(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	rows, err := c.SyncConn().QueryContext(background, "SELECT 1 AS a")
	noError(t, err)
	started, gate := make(chan struct{}), make(chan struct{})
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		close(started)
		<-gate
		return 0, nil
	})
	<-started
	time.AfterFunc(500*time.Millisecond, func() { close(gate) })
	func() {
		defer func() {
			if v := recover(); v != nil {
				t.Errorf("ColumnTypes panics: %v", v)
			}
		}()
		rows.ColumnTypes()
	}()
	must(t, f)
	rows.Close()
	must(t, c.CloseAsync(background))
}

// A transaction is closed also with a context that has ended.
func TestTxCloseWithAnEndedContext(t *testing.T) {
	e := oneLane(t)
	ctx0 := context.Background()
	c, err := e.ConnectAsync(ctx0).Await(ctx0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.CloseAsync(ctx0).Await(ctx0) }()
	ctx, cancel := context.WithCancel(ctx0)
	tx, err := c.BeginAsync(ctx, nil).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = tx.CloseAsync(ctx).Await(ctx0)
	if c.InTransaction() {
		t.Errorf("CloseAsync(ended) returned %v and the transaction is open", err)
	}
}

// Nil pointers are refused as database/sql refuses them.
func TestScanIntoNil(t *testing.T) {
	e := oneLane(t)
	bg := context.Background()
	r, err := e.QueryAsync(bg, "SELECT 1").Await(bg)
	if err != nil {
		t.Fatal(err)
	}
	row, err := r.FetchOneAsync(bg).Await(bg)
	if err != nil {
		t.Fatal(err)
	}
	want := e.SyncDB().QueryRow("SELECT 1").Scan((*int)(nil))
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("Row.Scan((*int)(nil)) panics: %v; sql.Row.Scan returns %v", v, want)
		}
	}()
	row.Scan((*int)(nil))
}

// A nil context panics and leaves nothing behind that Shutdown would wait for.
func TestConnectWithoutAContext(t *testing.T) {
	e, err := overlay.Open("sqlite3", ":memory:")
	noError(t, err)
	func() {
		defer func() { t.Log(recover()) }()
		e.ConnectAsync(nil) //lint:ignore SA1012 that is what is tested
	}()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(background)
	go func() { e.Shutdown(ctx); close(done) }()
	inTime(t, "Shutdown after a ConnectAsync(nil) that panicked", done)
	cancel()
	<-done
}

// Nor does it count as a call in a transaction.
func TestNilContextInATransaction(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	func() {
		defer func() { recover() }()
		c.ExecAsync(nil, "SELECT 1") //lint:ignore SA1012 that is what is tested
	}()
	errs := make(chan error)
	go func() { errs <- second(c.ExecAsync(background, "INSERT INTO t VALUES (1)").Await(background)) }()
	if err := <-errs; err != nil {
		t.Errorf("nothing is under way: %v", err)
	}
	must(t, c.CloseAsync(background))
}

// The error of closing the rows is Scalar's, as it is QueryRow's.
func TestScalarReturnsTheErrorOfClosing(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	var id any
	want := db.QueryRow("rows 3 closeerror").Scan(&id, &id, &id, &id, &id, &id, &id)
	_, err := e.ScalarAsync(background, "rows 3 closeerror").Await(background)
	if (err == nil) != (want == nil) {
		t.Errorf("ScalarAsync: %v; sql.DB.QueryRow: %v", err, want)
	}
}

// Results whose connection has died are forgotten.
func TestDeadResultsAreForgotten(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	for range 10 {
		r := must(t, e.StreamAsync(background, "rows 1000"))
		remove := d.On("Rows.Next", drivertest.Return(driver.ErrBadConn))
		ctx := context.Background()
		a, b, c := r.FetchManyAsync(ctx, 600), r.FetchManyAsync(ctx, 600), r.FetchAllAsync(ctx)
		_, err := a.Await(ctx)
		_, err2 := b.Await(ctx)
		_, err3 := c.Await(ctx)
		t.Log(err, err2, err3)
		remove()
		_, err = r.CloseAsync(ctx).Await(ctx)
		t.Log("close", err)
	}
	must(t, e.ExecAsync(background, "noop"))
	noError(t, e.Shutdown(background))
}

// Shutdown in a callback says that it would wait for itself.
func TestShutdownInACallback(t *testing.T) {
	e := oneLane(t)
	done := make(chan struct{})
	gate := make(chan struct{})
	f := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) { <-gate; return 0, nil })
	f.OnDone(func(int, error) {
		ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
		defer cancel()
		if err := e.Shutdown(ctx); err != overlay.ErrWouldDeadlock {
			t.Error(err)
		}
		close(done)
	})
	close(gate)
	inTime(t, "Shutdown(100ms) in an OnDone", done)
}
