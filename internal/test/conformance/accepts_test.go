package conformance

import "testing"

// slow: with the race detector on, the suite is tried on a few kinds of drivers, and
// `make test` runs it once more, on all of them, without.
var slow bool

func some() Option {
	return func(s *suite) { s.few = slow }
}

// expectEqual runs the whole suite.
func expectEqual(t *testing.T, s *suite) {
	t.Helper()
	some()(s)
	for _, c := range Cases() {
		if s.except[c.Name] != "" {
			continue
		}
		for _, kind := range c.kinds(s.few || testing.Short()) {
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

func TestAcceptsReadingFarAhead(t *testing.T) {
	if testing.Short() {
		t.Skip("once more the whole suite")
	}
	const why = "without a thread of its own it cannot hand over rows while it waits for more"
	expectEqual(t, newSuite(connectorOpener(newMini(100).wrapConnector), []Option{
		Except("Rows/BlockedRowHoldsBackNoOther", why), Except("Cancel/InNext", why),
	}))
}

func TestAcceptsReadingOnDemand(t *testing.T) {
	if testing.Short() {
		t.Skip("once more the whole suite")
	}
	expectEqual(t, newSuite(driverOpener(newMini(1).wrapDriver), []Option{Lazy()}))
}
