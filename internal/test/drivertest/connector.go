package drivertest

import (
	"context"
	"database/sql/driver"
)

// Connector returns a connector of the driver, an io.Closer if the driver has
// [ConnectorClose].
func (d *Driver) Connector(dsn string) driver.Connector {
	c := connector{d, dsn}
	if d.features.Has(ConnectorClose) {
		return &closingConnector{c}
	}
	return &c
}

type connector struct {
	d   *Driver
	dsn string
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	return c.d.connect(ctx, "Connector.Connect", c.dsn)
}

func (c *connector) Driver() driver.Driver { return c.d.face }

type closingConnector struct{ connector }

func (c *closingConnector) Close() error {
	o := &object{d: c.d, name: "connector"}
	return o.do("Connector.Close", nil, "", nil)
}
