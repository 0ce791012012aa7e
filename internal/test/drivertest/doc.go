// Package drivertest is a scripted, probing database/sql driver for tests.
//
// A [Driver] is made with exactly the optional interfaces a test asks for, so
// that a wrapper can be shown every kind of inner driver:
//
//	d := drivertest.New(drivertest.Modern &^ drivertest.SessionResetter)
//	db := sql.OpenDB(d.Connector(""))
//	rows, err := db.Query("rows 10 error at 5")
//
// Queries are written in a small language, see [Script]; what no query can say
// is done by hooks, see [Driver.On]. Every call that reaches the driver is kept
// with its OS thread in [Driver.Log]. The driver watches the rules that
// database/sql promises to drivers, and some that a wrapper must keep for them:
// what it saw broken is in [Driver.Violations] and [Driver.ThreadViolations],
// what is still open in [Driver.OpenObjects].
package drivertest
