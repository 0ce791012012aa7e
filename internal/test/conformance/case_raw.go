package conformance

import (
	"database/sql/driver"
	"errors"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func rawCases() []Case {
	return []Case{
		{Name: "Raw/Errors", Body: rawErrors},
		{Name: "Raw/Panics", Body: rawPanics},
		{Name: "Raw/DriverCalls", On: []dt.Features{dt.Minimal}, Body: rawDriverCalls},
	}
}

func rawErrors(e *Env) {
	for _, err := range []error{nil, dt.ErrScripted, driver.ErrSkip, driver.ErrBadConn, errors.Join(dt.ErrArg, driver.ErrBadConn)} {
		c, connErr := e.DB.Conn(background)
		if e.Err("Conn", connErr) {
			return
		}
		e.Err("Raw", c.Raw(func(any) error { return err }))
		e.exec("conn", c, "noop")
		e.Err("Conn.Close", c.Close())
		e.Err("Raw", c.Raw(func(any) error { return nil }))
		e.Stats("after")
	}
}

func rawPanics(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	e.Catch("Raw", func() { e.Err("Raw", c.Raw(func(any) error { panic("raw") })) })
	e.exec("conn", c, "noop")
	e.Err("Conn.Close", c.Close())
	e.Stats("after")
}

// rawDriverCalls uses the connection as a driver.Conn, which any wrapper still
// is: with the methods that every connection has.
func rawDriverCalls(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	e.Err("Raw", c.Raw(func(v any) error {
		ci := v.(driver.Conn)
		s, err := ci.Prepare("echo ?")
		if err != nil {
			return err
		}
		res, err := s.Exec([]driver.Value{int64(1)})
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		e.See("affected", n, err)
		rows, err := s.Query([]driver.Value{"x"})
		if err != nil {
			return err
		}
		dest := make([]driver.Value, len(rows.Columns()))
		for err = rows.Next(dest); err == nil; err = rows.Next(dest) {
			for _, v := range dest {
				e.See("value", v)
			}
		}
		e.Err("Next", err)
		return errors.Join(rows.Close(), s.Close())
	}))
	e.Err("Conn.Close", c.Close())
}
