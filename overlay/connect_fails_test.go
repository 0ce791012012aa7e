package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// inTime fails the test unless done is closed soon.
func inTime(t *testing.T, what string, done <-chan struct{}) bool {
	t.Helper()
	select {
	case <-done:
		return true
	case <-time.After(2 * time.Second):
		t.Errorf("%s: nothing after 2s", what)
		return false
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// A call that no lane can be opened for fails, as with database/sql, also while a result keeps
// the only one.
func TestConnectingFailsWhileALaneIsLent(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(2))
	r := must(t, e.QueryAsync(background, "rows 1000"))
	d.On("Connector.Connect", drivertest.Return(errors.New("too many connections")))
	d.On("Driver.Open", drivertest.Return(errors.New("too many connections")))
	rows, err := db.Query("rows 1000") // database/sql says so at once
	if err == nil {
		rows.Close()
	}
	t.Log("database/sql:", err)
	f := e.ExecAsync(background, "noop")
	inTime(t, "ExecAsync while a result keeps the only lane and connecting fails", f.Done())
	must(t, r.CloseAsync(background))
	failure(t, f)
	noError(t, e.Shutdown(background))
}

// Likewise while the only lane's function waits for it.
func TestConnectingFailsWhileALaneWaits(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(2))
	must(t, e.ExecAsync(background, "noop"))
	d.On("Connector.Connect", drivertest.Return(errors.New("too many connections")))
	d.On("Driver.Open", drivertest.Return(errors.New("too many connections")))
	var inner atomic.Pointer[overlay.Future[sql.Result]]
	f := overlay.RunInThread(background, e, func(ctx context.Context, _ *sql.Conn) (int, error) {
		in := e.ExecAsync(background, "noop")
		inner.Store(in)
		_, err := in.Await(background)
		return 0, err
	})
	if !inTime(t, "a function that awaits a call for which no lane can be opened", f.Done()) {
		inner.Load().Cancel()
	}
	f.Await(background)
	noError(t, e.Shutdown(background))
}
