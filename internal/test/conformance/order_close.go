package conformance

import (
	"slices"
	"strings"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// closeTimings tells when the Close of rows and statements may come, by object,
// where that is not fixed:
//
//   - rows that the wrapper has seen come to their end or to an error, and the
//     statement that was made for such rows alone, may be closed before the reader
//     gets there;
//   - what database/sql closes only after its connection, or never, the wrapper
//     may close before; it must not be left open, but that is checked apart;
//   - a cursor is closed by database/sql when the program does it, or never.
func (s *suite) closeTimings(bare, wrapped []drivertest.Call) map[string]timing {
	closes := map[string]timing{}
	if !s.lazy {
		markEnded(closes, wrapped)
	}
	gone := map[int]bool{}      // connections
	closed := map[string]bool{} // what the bare driver's connections had closed in time
	for _, c := range bare {
		switch c.Method {
		case "Conn.Close":
			gone[c.Conn] = true
		case "Rows.Close", "Stmt.Close":
			closed[c.Object] = !gone[c.Conn]
		}
	}
	for _, c := range slices.Concat(bare, wrapped) {
		if !closed[c.Object] || isCursor(c.Object) {
			closes[c.Object] = free
		}
	}
	return closes
}

// isCursor reports whether the object is rows that were a value of a row.
func isCursor(object string) bool { return strings.Contains(object, ".n") }

// markEnded marks what the wrapper may close early.
func markEnded(closes map[string]timing, wrapped []drivertest.Call) {
	justClosed := map[int]string{} // rows, by connection: others work at the same time
	for _, c := range wrapped {
		rows := justClosed[c.Conn]
		delete(justClosed, c.Conn)
		switch {
		case c.Method == "Rows.Next" && (c.Err != nil || c.Panicked):
			closes[c.Object] = early
		case c.Method == "Rows.Close":
			justClosed[c.Conn] = c.Object
		case c.Method == "Stmt.Close" && closes[rows] == early && strings.HasPrefix(rows, c.Object+"."):
			closes[c.Object] = early
		}
	}
}
