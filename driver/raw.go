package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/threadpin"
)

// Raw runs fn with the inner connection, on its thread, in one hop. fn must
// not keep the connection. If ctx ends before fn starts, fn never runs. If it
// ends later, what the driver does for fn is stopped, and Raw waits for fn.
// fn's error is returned as it is, and driver.ErrBadConn makes the pool drop the
// connection.
func Raw(ctx context.Context, sc *sql.Conn, fn func(inner driver.Conn) error) error {
	return sc.Raw(func(dc any) error {
		pc, ok := face.Of(dc)
		if !ok {
			return ErrNotAio
		}
		return face.Raw(ctx, dc, func() error { return fn(pc.Inner()) })
	})
}

// Thread returns the worker on whose thread the connection lives. Quitting it
// is the connection's business, not the caller's: use it for OnThread,
// ThreadID, Stats and Run.
func Thread(sc *sql.Conn) (*threadpin.Worker, error) {
	pc, err := pinnedOf(sc)
	if err != nil {
		return nil, err
	}
	return (*threadpin.Worker)(pc.Worker()), nil
}

func pinnedOf(sc *sql.Conn) (pc *pinned.Conn, err error) {
	err = sc.Raw(func(dc any) error {
		var ok bool
		if pc, ok = face.Of(dc); !ok {
			return ErrNotAio
		}
		return nil
	})
	return pc, err
}
