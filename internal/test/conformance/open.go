package conformance

import (
	"context"
	"database/sql/driver"
	"io"
	"sync"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// An opener makes the connector that a side's sql.DB stands on.
type opener func(d *drivertest.Driver, dsn string) (driver.Connector, error)

func driverOpener(wrap func(driver.Driver) driver.Driver) func(bool) opener {
	return func(wrapped bool) opener {
		return func(d *drivertest.Driver, dsn string) (driver.Connector, error) {
			face := d.Driver()
			if wrapped {
				face = wrap(face)
			}
			if dc, ok := face.(driver.DriverContext); ok {
				return dc.OpenConnector(dsn)
			}
			return dsnConnector{face, dsn}, nil
		}
	}
}

func connectorOpener(wrap func(driver.Connector) driver.Connector) func(bool) opener {
	return func(wrapped bool) opener {
		return func(d *drivertest.Driver, dsn string) (driver.Connector, error) {
			if wrapped {
				return wrap(d.Connector(dsn)), nil
			}
			return d.Connector(dsn), nil
		}
	}
}

// dsnConnector is what sql.Open uses for a driver without OpenConnector.
type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

func (c dsnConnector) Driver() driver.Driver { return c.driver }

// A tap remembers the connections that database/sql got. A panic inside
// database/sql loses some, which nobody but the tap can close then.
type tap struct {
	driver.Connector
	mu    sync.Mutex
	conns []driver.Conn // in the order they were opened
}

func (t *tap) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := t.Connector.Connect(ctx)
	if err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.conns = append(t.conns, c)
	}
	return c, err
}

// connector returns the tap as an io.Closer if what it taps is one.
func (t *tap) connector() driver.Connector {
	if c, ok := t.Connector.(io.Closer); ok {
		return struct {
			*tap
			io.Closer
		}{t, c}
	}
	return t
}

// closeLost closes the connections that are open in d.
func (t *tap) closeLost(d *drivertest.Driver) {
	opened := 0
	for _, c := range d.Log() {
		if c.Method != "Driver.Open" && c.Method != "Connector.Connect" || c.Err != nil || c.Panicked {
			continue
		}
		if d.IsOpen(c.Conn) && opened < len(t.conns) {
			t.conns[opened].Close()
		}
		opened++
	}
}
