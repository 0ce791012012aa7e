package driver

import (
	"errors"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

var (
	// ErrNoDriver is wrapped by the error for a data source name whose part
	// before the first colon names no registered driver.
	ErrNoDriver = errors.New("aio: no such driver")

	// ErrNotAio is returned by Raw and Thread for a connection that does
	// not come from this package.
	ErrNotAio = errors.New("aio: connection was not opened through the aio driver")

	// ErrRolledBack is wrapped by the error of a statement or a commit in a
	// transaction that the database has rolled back by itself, as far as the
	// driver can tell. The error that made it do so is wrapped too. Roll back and
	// begin again. If the text of a statement has begun the transaction, statements
	// are refused until the text of one is a ROLLBACK or a BEGIN.
	ErrRolledBack = pinned.ErrRolledBack

	// ErrOutcomeUnknown is wrapped by the error of a write or a commit that may have
	// been carried out, in whole or in part. Its connection broke, or it had not ended
	// 100 ms after its context, or it was a text of several statements or a CALL that
	// was stopped in the middle. Look at the data. The context's error is wrapped too
	// if that has ended, or else the driver's; driver.ErrBadConn stands in the text
	// alone. Without an [Adapter], only a commit that had not ended in time has it.
	ErrOutcomeUnknown = pinned.ErrOutcomeUnknown
)
