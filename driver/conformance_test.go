package driver_test

import (
	"database/sql/driver"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/conformance"
)

// validity: asking at the moment the pool asks would cost every call a second
// hop. A connection that becomes unfit without a call is found by the next.
var validity = conformance.Except("Session/UnfitMeanwhile",
	"IsValid is asked on the thread after each call, and not once more when the pool asks")

// The cases take minutes under the race detector, which then sees the random
// programs; `make test` runs all of them without it as well.
func amount() conformance.Option {
	if raceEnabled {
		return conformance.RandomOnly()
	}
	return conformance.Few()
}

// most is amount for the one test that is to run on every kind of driver.
func most() conformance.Option {
	if raceEnabled {
		return conformance.RandomOnly()
	}
	return nil
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(d driver.Driver) driver.Driver { return aio.Wrap(d) }, validity, conformance.OneThread(), most())
}

func TestConformanceOfConnectors(t *testing.T) {
	conformance.RunConnector(t, func(c driver.Connector) driver.Connector { return aio.NewConnector(c) }, validity, amount())
}

// Read strictly on demand, not even the order of the driver's calls differs.
func TestConformanceStrictlyLazy(t *testing.T) {
	conformance.Run(t, func(d driver.Driver) driver.Driver { return aio.Wrap(d, aio.WithBatch(1, 1)) },
		conformance.Lazy(), validity, amount())
}
