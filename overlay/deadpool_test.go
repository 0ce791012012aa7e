package overlay_test

import (
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// A call finds a connection that lives, however many have died in the pool.
func TestManyDeadConnections(t *testing.T) {
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
