package conformance

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// connectorKinds differ in how they are opened and closed.
var connectorKinds = append([]dt.Features{
	dt.DriverContext,
	dt.DriverContext | dt.OpenPanics,
	dt.DriverContext | dt.ConnectorClose,
	dt.ConnectorClose,
}, commonKinds...)

func connectorCases() []Case {
	return []Case{
		{Name: "Connector/OpenFails", On: connectorKinds, Body: openFails},
		{Name: "Connector/OpenDBFails", On: connectorKinds, Body: openDBFails},
		{Name: "Connector/Close", On: connectorKinds, Body: connectorClose},
		{Name: "Connector/CloseFails", On: connectorKinds, Body: connectorCloseFails},
		{Name: "Connector/Driver", On: connectorKinds, Body: driverIdentity},
		{Name: "Connector/TwoPools", On: connectorKinds, Body: twoPools},
	}
}

func openFails(e *Env) {
	for _, method := range []string{"Driver.Open", "Connector.Connect"} {
		for _, err := range []error{dt.ErrScripted, driver.ErrBadConn, &dt.CodeError{Code: 1}, driver.ErrSkip, io.EOF} {
			remove := e.Driver.On(method, dt.Return(err))
			e.Err("Ping", e.DB.Ping())
			e.exec("db", e.DB, "noop")
			e.Stats("failed")
			remove()
			e.DB.SetMaxIdleConns(-1)
			e.DB.SetMaxIdleConns(2)
		}
	}
	e.Err("Ping", e.DB.Ping())
}

// openDBFails refuses the data source name, which DriverContext can do early.
func openDBFails(e *Env) {
	for _, fault := range []error{dt.ErrScripted, &dt.CodeError{Code: 1}, fmt.Errorf("bad dsn: %w", dt.ErrArg)} {
		remove := e.Driver.On("Driver.OpenConnector", dt.Return(fault))
		c, err := e.open(e.Driver, "secret")
		e.Err("open", err)
		e.See("no connector", c == nil)
		remove()
	}
}

func connectorClose(e *Env) {
	e.Err("Ping", e.DB.Ping())
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	e.Err("DB.Close", e.DB.Close())
	e.Stats("closed, one in use")
	e.exec("conn", c, "noop")
	e.Err("Conn.Close", c.Close())
	e.Err("DB.Close", e.DB.Close())
	e.Err("Ping", e.DB.Ping())
	e.See("connector closes", e.Driver.Count("Connector.Close"))
}

func connectorCloseFails(e *Env) {
	e.Driver.On("Connector.Close", dt.Return(dt.ErrClose))
	e.Driver.On("Conn.Close", dt.First(1, dt.Return(dt.ErrScripted)))
	warm(e, 2)
	e.Err("DB.Close", e.DB.Close())
}

// driverIdentity checks that libraries which look at the driver's type can find
// the real one, by Unwrap if what they have is not it.
func driverIdentity(e *Env) {
	e.See("DB.Driver is the driver", unwrap(e.DB.Driver()) == e.Driver.Driver())
	c, err := e.open(e.Driver, "dsn")
	e.Err("open", err)
	e.See("Connector.Driver is the driver", unwrap(c.Driver()) == e.Driver.Driver())
	if closer, ok := c.(io.Closer); ok {
		if err := closer.Close(); err != nil {
			e.Err("Close", err)
		}
	}
}

func unwrap(d driver.Driver) driver.Driver {
	if u, ok := d.(interface{ Unwrap() driver.Driver }); ok {
		return u.Unwrap()
	}
	return d
}

// twoPools makes two connectors of one driver.
func twoPools(e *Env) {
	for _, dsn := range []string{"", "other:dsn?with=options"} {
		c, err := e.open(e.Driver, dsn)
		if e.Err("open", err) {
			return
		}
		ci, err := c.Connect(context.WithValue(background, dt.ContextKey{}, dsn))
		if !e.Err("Connect", err) {
			e.Err("Close", ci.Close())
		}
	}
	e.Err("Ping", e.DB.Ping())
}
