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

// OpenConnector fails at once for a bad data source name, but for an empty one:
// libraries that wrap drivers open one to get at the driver.
func (aioDriver) OpenConnector(dsn string) (driver.Connector, error) {
	if dsn == "" {
		return noDSN{}, nil
	}
	d, rest, err := split(dsn)
	if err != nil {
		return nil, err
	}
	w := wrap(d, nil)
	return openConnector(w.inner, rest, named{w}, w.opts)
}

func (a aioDriver) Open(dsn string) (driver.Conn, error) {
	c, err := a.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

// named is the Driver of a sql.DB that sql.Open("aio", …) has opened: it takes
// the same data source names.
type named struct{ *wrapped }

func (named) OpenConnector(dsn string) (driver.Connector, error) {
	return aioDriver{}.OpenConnector(dsn)
}
func (named) Open(dsn string) (driver.Conn, error) { return aioDriver{}.Open(dsn) }

// noDSN is the connector of an empty data source name.
type noDSN struct{}

func (noDSN) Connect(context.Context) (driver.Conn, error) {
	_, _, err := split("")
	return nil, err
}
func (noDSN) Driver() driver.Driver { return aioDriver{} }

// Wrap returns a driver whose connections are d's, each on a thread of its
// own. It opens the same data source names, and Unwrap returns d. Wrapping a
// wrapped driver returns it with opts in place of its options, if there are any.
func Wrap(d driver.Driver, opts ...Option) driver.Driver { return wrap(d, opts) }

func wrap(d driver.Driver, opts []Option) *wrapped {
	w, ok := d.(*wrapped)
	if n, isNamed := d.(named); isNamed {
		w, ok = n.wrapped, true
	}
	switch {
	case !ok:
		return &wrapped{inner: d, opts: newOptions(opts)}
	case len(opts) == 0:
		return w
	}
	return &wrapped{inner: w.inner, opts: newOptions(opts)}
}

// Register registers Wrap(d, opts...) with database/sql under name. The options
// hold however that name is opened: sql.Open("aio", name+":…") too.
func Register(name string, d driver.Driver, opts ...Option) {
	sql.Register(name, Wrap(d, opts...))
}

// wrapped always has OpenConnector: without it database/sql would make a
// connector of its own.
type wrapped struct {
	inner driver.Driver
	opts  *options
}

var _ driver.DriverContext = (*wrapped)(nil)

func (w *wrapped) OpenConnector(dsn string) (driver.Connector, error) {
	return openConnector(w.inner, dsn, w, w.opts)
}

// Open calls the inner driver's Open, also where that has OpenConnector.
func (w *wrapped) Open(dsn string) (driver.Conn, error) {
	return newConnector(&dsnConnector{w.inner, &dsn}, w, w.opts).Connect(context.Background())
}

// Unwrap returns the inner driver.
func (w *wrapped) Unwrap() driver.Driver { return w.inner }
