package conformance

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"
	"time"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func sessionCases() []Case {
	return []Case{
		{Name: "Session/ResetFails", On: sessionKinds, Body: resetFails},
		{Name: "Session/NotValid", On: sessionKinds, Body: notValid},
		{Name: "Session/UnfitMeanwhile", On: sessionKinds, Body: unfitMeanwhile},
		{Name: "Session/EveryUse", On: sessionKinds, Body: sessionEveryUse},
	}
}

func resetFails(e *Env) {
	for _, err := range []error{dt.ErrScripted, driver.ErrBadConn, fmt.Errorf("gone: %w", driver.ErrBadConn), driver.ErrSkip} {
		for _, n := range []int64{1, 2, 5} {
			warm(e, 2)
			remove := e.Driver.On("Conn.ResetSession", dt.First(n, dt.Return(err)))
			e.both("db", e.DB, "noop")
			e.Err("Ping", e.DB.Ping())
			c, err := e.DB.Conn(background)
			if !e.Err("Conn", err) {
				e.exec("conn", c, "noop")
				e.Err("Conn.Close", c.Close())
			}
			remove()
			e.Stats("after")
		}
	}
}

// notValid lets each kind of use make its connection unfit.
func notValid(e *Env) {
	spoil(e)
	s := e.prepare("db", e.DB, "noop -- spoils")
	for _, query := range []string{"noop -- spoils", "fail -- spoils", "rows 3 -- spoils", "skip rows 3 -- spoils", "skip noop -- spoils"} {
		e.both("db", e.DB, query)
		e.Stats("db")
		e.execStmt("stmt", s)
		e.Stats("stmt")

		tx, err := e.DB.Begin()
		if !e.Err("Begin", err) {
			e.both("tx", tx, query)
			e.exec("tx", tx, "noop")
			e.Err("Commit", tx.Commit())
		}
		e.Stats("tx")

		c, err := e.DB.Conn(background)
		if !e.Err("Conn", err) {
			e.both("conn", c, query)
			e.exec("conn", c, "noop")
			e.Err("Conn.Close", c.Close())
		}
		e.Stats("conn")
	}
	e.Err("Stmt.Close", s.Close())
}

// spoil makes connections unfit that have run a query which says so. The
// returned function makes one unfit by its number.
func spoil(e *Env) func(conn int) {
	var unfit sync.Map
	e.Driver.On("", func(c dt.Call) error {
		if runs(c, c.Query) && strings.Contains(c.Query, "spoils") {
			unfit.Store(c.Conn, true)
		}
		return nil
	})
	e.Driver.On("Conn.IsValid", func(c dt.Call) error {
		if _, is := unfit.Load(c.Conn); is {
			return dt.ErrScripted
		}
		return nil
	})
	return func(conn int) { unfit.Store(conn, true) }
}

// unfitMeanwhile has connections become unfit while nothing runs on them.
func unfitMeanwhile(e *Env) {
	makeUnfit := spoil(e)
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	e.exec("conn", c, "noop")
	makeUnfit(1)
	e.Err("Conn.Close", c.Close())
	e.Stats("conn was unfit when it came back")
	rows, err := e.DB.Query("rows 2")
	e.Err("Query", err)
	e.See("Next", rows.Next())
	makeUnfit(2)
	e.Err("Rows.Close", rows.Close())
	e.Stats("conn was unfit at the end of its rows")
	everyStep(e)
}

// sessionEveryUse checks out connections in every way, with the pool's limits.
func sessionEveryUse(e *Env) {
	e.DB.SetMaxOpenConns(2)
	everyStep(e)
	e.DB.SetMaxIdleConns(-1)
	everyStep(e)
	e.DB.SetMaxIdleConns(2)
	e.DB.SetConnMaxLifetime(time.Nanosecond)
	everyStep(e)
}
