package conformance

import (
	"database/sql/driver"
	"fmt"
	"time"

	dt "github.com/sqlaio/sqlaio/internal/drivertest"
)

func sessionCases() []Case {
	return []Case{
		{Name: "Session/ResetFails", On: sessionKinds, Body: resetFails},
		{Name: "Session/NotValid", On: sessionKinds, Body: notValid},
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

// notValid lets connections be found unfit after each kind of use.
func notValid(e *Env) {
	remove := e.Driver.On("Conn.IsValid", dt.Return(dt.ErrScripted))
	everyStep(e)
	e.both("db", e.DB, "fail")
	e.Stats("after")
	remove()
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
