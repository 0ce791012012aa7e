//go:build cgo

package sqlite3

import "database/sql/driver"

// For the tests, which are in a package of their own.

var MentionsBusyTimeout = mentionsBusyTimeout

type Interrupter = interrupter

// InterrupterOf makes an interrupter for a connection of go-sqlite3.
func InterrupterOf(conn driver.Conn) *Interrupter {
	i, _ := adapter{}.Interrupter(conn, nil).(*interrupter)
	return i
}
