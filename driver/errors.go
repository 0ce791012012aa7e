package driver

import "errors"

var (
	// ErrNoDriver is wrapped by the error for a data source name whose part
	// before the first colon names no registered driver.
	ErrNoDriver = errors.New("aio: no such driver")

	// ErrNotAio is returned by Raw and Thread for a connection that does
	// not come from this package.
	ErrNotAio = errors.New("aio: connection was not opened through the aio driver")
)
