// Package conformance shows that database/sql cannot tell a wrapped driver
// from the bare one.
//
// Each case is one program that uses database/sql. It runs twice with
// scripted drivers of package drivertest, once bare and once wrapped, for every
// kind of driver that matters to it, and everything observed must be equal:
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, func(d driver.Driver) driver.Driver { return aio.Wrap(d) })
//	}
//
// Compared are values with their Go types; errors by their text, by identity,
// and by errors.Is and errors.As; panics by their value; the pool's statistics;
// what is left open; and the calls that reached the driver, with their
// arguments and contexts, in their order. A wrapper may make some calls earlier
// than database/sql asks for them, to save round trips: order.go says which.
package conformance
