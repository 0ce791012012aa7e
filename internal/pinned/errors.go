package pinned

import (
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/thread"
)

var (
	// ErrOutcomeUnknown is wrapped by the error of a write or a COMMIT that may have
	// been carried out, in whole or in part. The context's error is wrapped too if
	// that has ended, or else the driver's, unless that is driver.ErrBadConn.
	ErrOutcomeUnknown = errors.New("sqlaio: it is unknown whether the write was carried out")

	// ErrRolledBack is wrapped by the error of a statement or a commit in a
	// transaction that the database has rolled back by itself. The error that
	// made it do so is wrapped too. Roll back and begin again.
	ErrRolledBack = errors.New("sqlaio: the database has rolled the transaction back by itself")

	// ErrTxEnded is wrapped by the error of a statement or a commit in a
	// transaction that an earlier statement has ended: DDL on MySQL, or a COMMIT
	// or ROLLBACK in the text of a statement. What was done before that may have
	// been committed.
	ErrTxEnded = errors.New("sqlaio: a statement has ended the transaction (DDL, COMMIT or ROLLBACK in its text)")

	// ErrTxLeftOpen is wrapped by the error of a call that has left a
	// transaction open on a connection that others use too. It was rolled back.
	ErrTxLeftOpen = errors.New("sqlaio: the call left a transaction open, which was rolled back: end it in the call, or use a connection of your own")

	// ErrWouldDeadlock is overlay.ErrWouldDeadlock, for a call that would wait for the
	// thread it is made on, or for the connection that its own scope holds.
	ErrWouldDeadlock = errors.New("overlay: the call would wait for itself: it needs the thread or the connection of its own caller (in a function use the Conn or sql.Conn that it was given)")

	// ErrLost is returned in place of driver.ErrBadConn by a sql.Conn that does not
	// own its connection.
	ErrLost = errors.New("sqlaio: the connection is lost")

	errSpoilt = errors.New("sqlaio: the transaction can only be rolled back, since what was done after its savepoint could not be undone")

	errClosedStmt = errors.New("sqlaio: the statement was closed with its connection")
	errOpenRows   = errors.New("sqlaio: the rows were closed with their connection")
)

// Unknown returns the error of a call whose outcome is unknown.
func Unknown(cause error) error { return fmt.Errorf("%w: %w", ErrOutcomeUnknown, cause) }

// broken translates the error of a worker that is gone, so that database/sql
// drops the connection.
func broken(err error) error {
	if err == thread.ErrAlreadyQuit {
		return driver.ErrBadConn
	}
	return err
}
