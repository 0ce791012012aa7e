package driver_test

import (
	"database/sql/driver"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/conformance"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, func(d driver.Driver) driver.Driver { return aio.Wrap(d) })
}

func TestConformanceOfConnectors(t *testing.T) {
	conformance.RunConnector(t, func(c driver.Connector) driver.Connector { return aio.NewConnector(c) })
}

// Read strictly on demand, not even the order of the driver's calls differs.
func TestConformanceStrictlyLazy(t *testing.T) {
	conformance.Run(t, func(d driver.Driver) driver.Driver { return aio.Wrap(d, aio.WithBatch(1, 1)) },
		conformance.Lazy())
}
