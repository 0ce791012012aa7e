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
	// driver's [Adapter] can tell. The error that made it do so is wrapped
	// too. Roll back and begin again.
	ErrRolledBack = pinned.ErrRolledBack

	// ErrOutcomeUnknown is wrapped by the error of a write or a commit whose
	// answer did not come: it may have been carried out. Only a look at the data
	// can tell. The context's or the driver's error is wrapped too.
	ErrOutcomeUnknown = pinned.ErrOutcomeUnknown
)
