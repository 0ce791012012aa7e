package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"slices"

	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/threadpin"
)

// connector opens connections of the inner connector, each on a new thread.
type connector struct {
	inner   driver.Connector
	adapter Adapter // nil if the driver has none
	traits  Traits
	opts    *options
}

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = (*connector)(nil)
)

// NewConnector returns a connector whose connections are c's, each on a thread
// of its own. Wrapping a wrapped connector returns it with opts in place
// of its options.
func NewConnector(c driver.Connector, opts ...Option) driver.Connector {
	if w, ok := c.(*connector); ok {
		c = w.inner
	}
	return newConnector(c, newOptions(opts))
}

// OpenDB is sql.OpenDB(NewConnector(c, opts...)).
func OpenDB(c driver.Connector, opts ...Option) *sql.DB {
	return sql.OpenDB(NewConnector(c, opts...))
}

func newConnector(c driver.Connector, opts *options) *connector {
	a := adapterFor(c.Driver())
	var traits Traits
	if t, ok := a.(Traiter); ok {
		traits = t.Traits()
	}
	return &connector{inner: c, adapter: a, traits: traits, opts: opts}
}

// openConnector makes the connector for a DSN as database/sql would.
func openConnector(d driver.Driver, dsn string, opts *options) (driver.Connector, error) {
	var c driver.Connector = &dsnConnector{d, dsn}
	var err error
	if o, ok := adapterFor(d).(Opener); ok {
		c, err = o.OpenConnector(d, dsn)
	} else if dc, ok := d.(driver.DriverContext); ok {
		c, err = dc.OpenConnector(dsn)
	}
	if err != nil {
		return nil, err
	}
	return newConnector(c, opts), nil
}

// Connect starts a thread and opens the inner connection on it. If that fails
// the thread ends before Connect returns. ctx goes to the inner connector,
// which decides what its end means.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if reflectguard.IsNonBlocking(ctx) {
		// The call that the connection is for will warn. If it is going to be
		// refused, there is no need to connect for it.
		if _, err := reflectguard.Call(ctx, false, ""); err != nil {
			return nil, err
		}
	}
	l := new(link)
	w, err := threadpin.Start(append(slices.Clip(c.opts.thread), threadpin.WithOnStop(l.close))...)
	if err != nil {
		return nil, err
	}
	opened := false
	defer func() {
		if !opened {
			w.Quit()
		}
	}()
	l.worker = w
	err = runOn(w, func() (err error) {
		l.inner, err = c.inner.Connect(ctx)
		if err == nil && c.adapter != nil {
			l.intr = c.adapter.Interrupter(l.inner, c.inner)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	opened = true
	return newConn(c, l), nil
}

// runOn runs fn on w regardless of any context.
func runOn(w *threadpin.Worker, fn func() error) error {
	var err error
	if gone := w.Run(context.Background(), func() { err = fn() }); gone != nil {
		return gone
	}
	return err
}

// Driver returns the inner driver, as libraries that look at its type expect.
func (c *connector) Driver() driver.Driver { return c.inner.Driver() }

// Close closes the inner connector if it can be closed.
func (c *connector) Close() error {
	if closer, ok := c.inner.(io.Closer); ok {
		return closer.Close()
	}
	return nil
}

// dsnConnector serves drivers without DriverContext.
type dsnConnector struct {
	driver driver.Driver
	dsn    string
}

func (c *dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c *dsnConnector) Driver() driver.Driver                        { return c.driver }
