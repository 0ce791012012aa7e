package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/threadpin"
)

// Raw runs fn with the inner connection, on its thread, in one hop. fn must
// not keep the connection. If ctx ends before fn starts, fn never runs; once
// started it is waited for. fn's error is returned as it is, and
// driver.ErrBadConn makes the pool drop the connection.
func Raw(ctx context.Context, sc *sql.Conn, fn func(inner driver.Conn) error) error {
	return withConn(sc, func(c *conn) error {
		return c.do(ctx, func(context.Context) (err error) {
			c.occupy(func() { err = fn(c.inner) })
			return err
		})
	})
}

// Thread returns the worker on whose thread the connection lives. Quitting it
// is the connection's business, not the caller's: use it for OnThread,
// ThreadID, Stats and Run.
func Thread(sc *sql.Conn) (*threadpin.Worker, error) {
	var w *threadpin.Worker
	err := withConn(sc, func(c *conn) error {
		w = c.link.worker.Branch()
		return nil
	})
	return w, err
}

func withConn(sc *sql.Conn, fn func(*conn) error) error {
	return sc.Raw(func(dc any) error {
		c, ok := dc.(interface{ self() *conn })
		if !ok {
			return ErrNotAio
		}
		return fn(c.self())
	})
}
