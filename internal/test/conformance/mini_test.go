package conformance

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// mini is a wrapper as the suite is made for: it always has all interfaces,
// checks arguments itself, and reads rows ahead. Its flaws are mistakes that
// wrappers make, for the suite to find.
type mini struct {
	batch int // rows to read ahead; 1: strictly on demand
	flaws map[flaw]bool
}

type flaw string

func (m *mini) has(f flaw) bool { return m.flaws[f] }

func newMini(batch int, flaws ...flaw) *mini {
	m := &mini{batch: batch, flaws: map[flaw]bool{}}
	for _, f := range flaws {
		m.flaws[f] = true
	}
	return m
}

func (m *mini) wrapDriver(d driver.Driver) driver.Driver { return miniDriver{m, d} }

func (m *mini) wrapConnector(c driver.Connector) driver.Connector { return miniConnector{m, c} }

type miniDriver struct {
	m     *mini
	inner driver.Driver
}

func (d miniDriver) Open(dsn string) (driver.Conn, error) {
	c, err := d.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return c.Connect(context.Background())
}

func (d miniDriver) OpenConnector(dsn string) (driver.Connector, error) {
	dc, ok := d.inner.(driver.DriverContext)
	if !ok {
		return miniConnector{d.m, dsnConnector{d.inner, dsn}}, nil
	}
	c, err := dc.OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return miniConnector{d.m, c}, nil
}

type miniConnector struct {
	m     *mini
	inner driver.Connector
}

func (c miniConnector) Driver() driver.Driver {
	if c.m.has("hides the driver") {
		return miniDriver{c.m, c.inner.Driver()}
	}
	return c.inner.Driver()
}

func (c miniConnector) Close() error {
	if closer, ok := c.inner.(io.Closer); ok && !c.m.has("forgets the connector's Close") {
		return closer.Close()
	}
	return nil
}

func (c miniConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := c.inner.Connect(ctx)
	if err != nil {
		return nil, err
	}
	mc := &miniConn{m: c.m, inner: inner}
	_, resets := inner.(driver.SessionResetter)
	_, validates := inner.(driver.Validator)
	if c.m.has("fakes session methods") {
		resets, validates = true, true
	}
	if c.m.has("drops session methods") {
		resets, validates = false, false
	}
	switch {
	case resets && validates:
		return struct {
			*miniConn
			miniResetter
			miniValidator
		}{mc, miniResetter{mc}, miniValidator{mc}}, nil
	case resets:
		return struct {
			*miniConn
			miniResetter
		}{mc, miniResetter{mc}}, nil
	case validates:
		return struct {
			*miniConn
			miniValidator
		}{mc, miniValidator{mc}}, nil
	}
	return mc, nil
}

type miniResetter struct{ c *miniConn }

func (r miniResetter) ResetSession(ctx context.Context) error {
	if inner, ok := r.c.inner.(driver.SessionResetter); ok {
		return inner.ResetSession(ctx)
	}
	return nil
}

type miniValidator struct{ c *miniConn }

func (v miniValidator) IsValid() bool {
	if inner, ok := v.c.inner.(driver.Validator); ok {
		return inner.IsValid()
	}
	return true
}

type miniConn struct {
	m       *mini
	inner   driver.Conn
	skipped bool // the statement behind the last fast path returned ErrSkip
}

func (c *miniConn) Close() error { return c.inner.Close() }

func (c *miniConn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *miniConn) Ping(ctx context.Context) error {
	if p, ok := c.inner.(driver.Pinger); ok {
		return c.m.wrapped(p.Ping(ctx))
	}
	return nil
}

func (c *miniConn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

func (c *miniConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.m.has("loses TxOptions") {
		opts = driver.TxOptions{}
	}
	if b, ok := c.inner.(driver.ConnBeginTx); ok {
		return b.BeginTx(ctx, opts)
	}
	if opts.Isolation != 0 {
		return nil, errors.New("sql: driver does not support non-default isolation level")
	}
	if opts.ReadOnly {
		return nil, errors.New("sql: driver does not support read-only transactions")
	}
	tx, err := c.inner.Begin()
	if err == nil && ctx.Err() != nil {
		tx.Rollback()
		return nil, ctx.Err()
	}
	return tx, err
}

// wrapped is how a wrapper that means well spoils errors.
func (m *mini) wrapped(err error) error {
	if err != nil && m.has("wraps errors") {
		return errors.Join(errors.New("mini"), err)
	}
	return err
}
