package conformance

import (
	"slices"
	"testing"
)

// expectEqual runs the whole suite but for some cases.
func expectEqual(t *testing.T, s *suite, except ...string) {
	t.Helper()
	for _, c := range Cases() {
		if slices.Contains(except, c.Name) {
			continue
		}
		for _, kind := range c.kinds() {
			for _, d := range s.compare(c, kind) {
				t.Errorf("%s on %v: %s", c.Name, kind, d)
			}
		}
	}
	s.random(t)
}

// A wrapper may read rows ahead and ask ahead: database/sql cannot see that.
func TestAcceptsReadingAhead(t *testing.T) {
	expectEqual(t, newSuite(driverOpener(newMini(2).wrapDriver), nil))
}

// This one has no thread of its own, so it cannot hand over rows while it waits
// for more: the cases that find that out are left out.
func TestAcceptsReadingFarAhead(t *testing.T) {
	expectEqual(t, newSuite(connectorOpener(newMini(100).wrapConnector), nil),
		"Rows/BlockedRowHoldsBackNoOther", "Cancel/InNext")
}

func TestAcceptsReadingOnDemand(t *testing.T) {
	expectEqual(t, newSuite(driverOpener(newMini(1).wrapDriver), []Option{Lazy()}))
}
