package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// connector opens connections of the inner connector, each on a new thread.
type connector struct {
	inner   driver.Connector
	driver  driver.Driver // opens what inner was opened with
	dsn     *string       // what that was, out of sight; nil: not known
	adapter Adapter       // nil if the driver has none
	traits  Traits
	turns   *pinned.Turns // of its connections
	opts    *options
}

var (
	_ driver.Connector = (*connector)(nil)
	_ io.Closer        = (*connector)(nil)
)

// NewConnector returns a connector whose connections are c's, each on a thread
// of its own. Wrapping a wrapped connector returns it with opts in place
// of its options, if there are any.
func NewConnector(c driver.Connector, opts ...Option) driver.Connector {
	if w, ok := c.(*connector); ok {
		if len(opts) == 0 {
			return w
		}
		c = w.inner
	}
	w := wrap(c.Driver(), opts)
	return newConnector(c, w, w.opts)
}

// OpenDB is sql.OpenDB(NewConnector(c, opts...)).
func OpenDB(c driver.Connector, opts ...Option) *sql.DB {
	return sql.OpenDB(NewConnector(c, opts...))
}

func newConnector(c driver.Connector, d driver.Driver, opts *options) *connector {
	a := pinned.AdapterFor(c.Driver())
	var traits Traits
	if t, ok := a.(Traiter); ok {
		traits = t.Traits()
	}
	return &connector{inner: c, driver: d, adapter: a, traits: traits, turns: new(pinned.Turns), opts: opts}
}

// openConnector makes the connector for a DSN as database/sql would. outer is the
// driver that its databases show.
func openConnector(d driver.Driver, dsn string, outer driver.Driver, opts *options) (driver.Connector, error) {
	var c driver.Connector = &dsnConnector{d, &dsn}
	var err error
	if o, ok := pinned.AdapterFor(d).(Opener); ok {
		c, err = o.OpenConnector(d, dsn)
	} else if dc, ok := d.(driver.DriverContext); ok {
		c, err = dc.OpenConnector(dsn)
	}
	if err != nil {
		return nil, err
	}
	w := newConnector(c, outer, opts)
	w.dsn = &dsn
	return w, nil
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
	pc, err := pinned.Open(ctx, c.inner, c.dsn, c.adapter, c.traits, c.turns, c.opts.thread, c.opts.tracers)
	if err != nil {
		return nil, err
	}
	return face.New(pc, &c.opts.face), nil
}

// Driver returns a driver that opens what the connector's was opened with. Its
// method Unwrap returns the inner driver.
func (c *connector) Driver() driver.Driver { return c.driver }

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
	dsn    *string // out of sight: it may hold a password
}

func (c *dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(*c.dsn) }
func (c *dsnConnector) Driver() driver.Driver                        { return c.driver }
