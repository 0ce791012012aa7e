//go:build !cgo

package sqlite3

// Without cgo, go-sqlite3 registers a driver whose connections fail, with an error
// that says so. Without this import the driver would be missing, for no reason
// that one can see.
import (
	_ "github.com/mattn/go-sqlite3"

	_ "github.com/sqlaio/sqlaio/driver" // registers aio
)
