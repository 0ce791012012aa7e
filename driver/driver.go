package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

func init() { sql.Register(name, aioDriver{}) }

// aioDriver is what sql.Open("aio", …) finds.
type aioDriver struct{}

var _ driver.DriverContext = aioDriver{}

func (aioDriver) OpenConnector(dsn string) (driver.Connector, error) {
	d, rest, err := split(dsn)
	if err != nil {
		return nil, err
	}
	return openConnector(d, rest, newOptions(nil))
}

func (a aioDriver) Open(dsn string) (driver.Conn, error) {
	c, err := a.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// Wrap returns a driver whose connections are d's, each on a thread of its
// own. The sql.DB made from it reports d as its Driver. Wrapping a wrapped
// driver returns it with opts in place of its options.
func Wrap(d driver.Driver, opts ...Option) driver.Driver {
	if w, ok := d.(*wrapped); ok {
		d = w.inner
	}
	return &wrapped{inner: d, opts: newOptions(opts)}
}

// Register registers Wrap(d, opts...) with database/sql under name.
func Register(name string, d driver.Driver, opts ...Option) {
	sql.Register(name, Wrap(d, opts...))
}

// wrapped always has OpenConnector: without it database/sql would make a
// connector of its own, and db.Driver() would be wrapped, not the inner driver.
type wrapped struct {
	inner driver.Driver
	opts  *options
}

var _ driver.DriverContext = (*wrapped)(nil)

func (w *wrapped) OpenConnector(dsn string) (driver.Connector, error) {
	return openConnector(w.inner, dsn, w.opts)
}

// Open calls the inner driver's Open, also where that has OpenConnector.
func (w *wrapped) Open(dsn string) (driver.Conn, error) {
	return newConnector(&dsnConnector{w.inner, dsn}, w.opts).Connect(context.Background())
}
