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
