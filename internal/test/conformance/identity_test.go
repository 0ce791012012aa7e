package conformance

import (
	"database/sql/driver"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A driver is equal to itself: the cases are deterministic, and so is
// database/sql in what they do with it.
func TestIdentity(t *testing.T) {
	same := func(d driver.Driver) driver.Driver { return d }
	Run(t, same, some())
}

func TestIdentityOfConnectors(t *testing.T) {
	if testing.Short() {
		t.Skip("once more the whole suite")
	}
	RunConnector(t, func(c driver.Connector) driver.Connector { return c }, Lazy(), some())
}
