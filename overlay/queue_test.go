package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// A call that waits gets another lane, as long as there may be more.
func TestACallThatWaitsGetsAnotherLane(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(2))
	release := occupy(t, e)
	must(t, e.ExecAsync(background, "noop"))
	if n := e.Stats().Lanes; n != 2 {
		t.Errorf("%d lanes, want 2", n)
	}
	second := occupy(t, e)
	last := e.ExecAsync(background, "noop")
	release()
	must(t, last)
	second()
	noError(t, e.Shutdown(background))
	if n := d.Count("Connector.Connect"); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
}

// A call for which no lane can be opened fails, as with database/sql, also while the only
// lane's function waits for it.
func TestConnectingFailsWhileALaneWaits(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(2))
	must(t, e.ExecAsync(background, "noop"))
	tooMany := errors.New("too many connections")
	d.On("Connector.Connect", drivertest.Return(tooMany))
	d.On("Driver.Open", drivertest.Return(tooMany))
	f := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) {
		return 0, second(e.ExecAsync(background, "noop").Await(background))
	})
	within(t, "a function that awaits a call for which no lane can be opened", f.Done())
	wantError(t, failure(t, f), tooMany)
	noError(t, e.Shutdown(background))
}

// A call finds a connection that lives, however many have died in the pool.
func TestACallPassesOverDeadConnections(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	const dead = 5
	db.SetMaxIdleConns(2 * dead)
	var conns []*sql.Conn
	for range dead {
		c, err := db.Conn(background)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	for _, c := range conns {
		c.Close()
	}
	d.On("Conn.ExecContext", func(c drivertest.Call) error {
		if c.Conn <= dead {
			return driver.ErrBadConn
		}
		return nil
	})
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	must(t, e.ExecAsync(background, "noop"))
}
