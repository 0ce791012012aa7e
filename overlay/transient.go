package overlay

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// Errors are recognised without importing the drivers that make them: by the method
// SQLState, which those for PostgreSQL have, and by the texts of the others.

// passes reports whether what err tells of may be over in a moment. What was
// stopped on purpose, or may be committed in part, is not.
func passes(err error) bool {
	if errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, ErrTxEnded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return pinned.AnyIn(err, conflicts) || lost(err)
}

// inDoubt reports whether err, of a commit, leaves open whether it was made.
// driver.ErrBadConn would promise that it was not, but some drivers return it also
// for answers that did not come.
func inDoubt(err error) bool {
	return lost(err) || errors.Is(err, io.EOF) || pinned.AnyIn(err, doubts)
}

// lost reports whether err tells that the connection is gone, or could not be made.
func lost(err error) bool {
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || pinned.AnyIn(err, disconnected)
}

// conflicts reports whether the database has refused a transaction that it may
// accept another time. It has then not been committed.
func conflicts(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
		return true
	}
	switch mysqlNumber(err) {
	case 1020, // the row has changed since it was read
		1047, // Galera: the node is not, or no longer, part of the cluster
		1205, // lock wait timeout
		1213: // deadlock, and Galera's conflict with another node
		return true
	}
	return sqliteSays(err, "database is locked") || sqliteSays(err, "database table is locked")
}

// sqliteSays reports whether err itself is of SQLite's with a text.
func sqliteSays(err error, text string) bool {
	return strings.HasPrefix(strings.TrimPrefix(err.Error(), "sqlite3: "), text)
}

// ioError reports whether err is SQLite's for a read, a write or a sync that has failed. A
// transaction whose COMMIT it ends is rolled back as far as SQLite can. But with a WAL it
// was written before the sync that has failed, and is found there after a crash; with a
// journal what was not synced may be that the journal is gone.
func ioError(err error) bool { return sqliteSays(err, "disk I/O error") }

func disconnected(err error) bool {
	state := sqlState(err)
	if strings.HasPrefix(state, "08") || slices.Contains([]string{"57P01", "57P02", "57P03"}, state) { // shutting down, or starting
		return true
	}
	switch mysqlNumber(err) {
	case 1053, // the server shuts down
		1927: // MariaDB: the connection was killed
		return true
	}
	if _, ok := err.(*net.OpError); ok { // not every net.Error: a file's error wraps one, and so is a context's
		return true
	}
	return err.Error() == "invalid connection" || // mysql.ErrInvalidConn
		err.Error() == "conn closed" // pgx
}

func doubts(err error) bool {
	return ioError(err) || sqlState(err) == "40003" || // completion unknown
		mysqlNumber(err) == 1180 // error during COMMIT, such as Galera's, of a node that is cut off
}

// sqlState returns the SQLSTATE of err itself, or "".
func sqlState(err error) string {
	if s, ok := err.(interface{ SQLState() string }); ok {
		return s.SQLState()
	}
	return ""
}

// mysqlNumber returns the number of err itself in texts such as "Error 1213 (40001):
// Deadlock found", or 0.
func mysqlNumber(err error) int {
	text, ok := strings.CutPrefix(err.Error(), "Error ")
	end := strings.IndexAny(text, " :")
	if !ok || end < 0 {
		return 0
	}
	n, _ := strconv.Atoi(text[:end])
	return n
}
