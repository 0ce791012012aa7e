package await

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

type store struct {
	conn, other *overlay.Conn
}

func reported(ctx context.Context, conn *overlay.Conn, s *store) {
	overlay.RunInThread(ctx, conn, func(ctx context.Context, c *sql.Conn) (int, error) {
		if _, err := conn.ExecAsync(ctx, "DELETE FROM cart").Await(ctx); err != nil { // want `Await on the thread of conn for a call that needs this thread fails with ErrWouldDeadlock: use the \*sql.Conn that the function gets`
			return 0, err
		}
		f := overlay.Scalar[int](ctx, conn, "SELECT 1")
		defer func() { conn.ScalarAsync(ctx, "SELECT 1").Await(ctx) }() // want `Await on the thread of conn`
		return f.Await(ctx)                                             // want `Await on the thread of conn`
	})
	fn := func(ctx context.Context, c *sql.Conn) (any, error) {
		return s.conn.ScalarAsync(ctx, "SELECT 1").Await(ctx) // want `Await on the thread of s.conn`
	}
	overlay.RunInThread(ctx, s.conn, fn)
	conn.ExecAsync(ctx, "DELETE FROM cart").OnDone(func(sql.Result, error) {
		conn.ExecAsync(ctx, "DELETE FROM log").Await(ctx) // want `Await on the thread of conn .*: give that call an OnDone instead`
	})
	first := conn.ScalarAsync(ctx, "SELECT 1")
	first.OnDone(func(any, error) {
		conn.ExecAsync(ctx, "DELETE FROM log").Await(ctx) // want `Await on the thread of conn`
	})
	overlay.Then(first, func(any) (any, error) {
		return conn.ScalarAsync(ctx, "SELECT 2").Await(ctx) // want `Await on the thread of conn .*: await it after this function`
	})
	if c, err := engine().ConnectAsync(ctx).Await(ctx); err == nil {
		overlay.RunInThread(ctx, c, func(ctx context.Context, _ *sql.Conn) (any, error) {
			return c.ScalarAsync(ctx, "SELECT 1").Await(ctx) // want `Await on the thread of c`
		})
	}
}

func engine() *overlay.Engine { return nil }

func elsewhere(ctx context.Context, e *overlay.Engine, conn, other *overlay.Conn, s *store) {
	before := conn.ScalarAsync(ctx, "SELECT 1")
	overlay.RunInThread(ctx, conn, func(ctx context.Context, c *sql.Conn) (any, error) {
		go func() { conn.ScalarAsync(ctx, "SELECT 1").Await(ctx) }() // in another goroutine
		later(func() { conn.ScalarAsync(ctx, "SELECT 1").Await(ctx) })
		f := conn.ScalarAsync(ctx, "SELECT 1") // not awaited here
		f.OnDone(func(any, error) {})
		if _, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx); err != nil { // another lane
			return nil, err
		}
		if _, err := other.ScalarAsync(ctx, "SELECT 1").Await(ctx); err != nil {
			return nil, err
		}
		if _, err := s.other.ScalarAsync(ctx, "SELECT 1").Await(ctx); err != nil {
			return nil, err
		}
		return before.Await(ctx) // made before this function, and so done
	})
	overlay.RunInThread(ctx, s.conn, func(ctx context.Context, c *sql.Conn) (any, error) {
		return s.other.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	// changing is not the same connection all the time.
	changing := conn
	overlay.RunInThread(ctx, changing, func(ctx context.Context, c *sql.Conn) (any, error) {
		return changing.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	changing = other
	e.ScalarAsync(ctx, "SELECT 1").OnDone(func(any, error) {
		conn.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	before.OnDone(func(any, error) { before.Await(ctx) })
}

func later(func()) {}
