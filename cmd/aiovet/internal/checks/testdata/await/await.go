package await

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

type store struct {
	engine, other *overlay.Engine
}

func reported(ctx context.Context, engine *overlay.Engine, s *store) {
	overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (int, error) {
		if _, err := engine.ExecAsync(ctx, "DELETE FROM cart").Await(ctx); err != nil { // want `Await on a lane of engine for a call that needs another lane fails with ErrWouldDeadlock if none is left: use the \*sql.Conn that the function gets`
			return 0, err
		}
		f := overlay.Scalar[int](ctx, engine, "SELECT 1")
		defer func() { engine.ScalarAsync(ctx, "SELECT 1").Await(ctx) }() // want `Await on a lane of engine`
		return f.Await(ctx)                                               // want `Await on a lane of engine`
	})
	fn := func(ctx context.Context, c *sql.Conn) (any, error) {
		return s.engine.ScalarAsync(ctx, "SELECT 1").Await(ctx) // want `Await on a lane of s.engine`
	}
	overlay.RunInThread(ctx, s.engine, fn)
	engine.ExecAsync(ctx, "DELETE FROM cart").OnDone(func(sql.Result, error) {
		engine.ExecAsync(ctx, "DELETE FROM log").Await(ctx) // want `Await on a lane of engine .*: give that call an OnDone instead`
	})
	first := engine.ScalarAsync(ctx, "SELECT 1")
	first.OnDone(func(any, error) {
		engine.ExecAsync(ctx, "DELETE FROM log").Await(ctx) // want `Await on a lane of engine`
	})
	overlay.Then(first, func(any) (any, error) {
		return engine.ScalarAsync(ctx, "SELECT 2").Await(ctx) // want `Await on a lane of engine .*: await it after this function`
	})
}

func elsewhere(ctx context.Context, e *overlay.Conn, engine, other *overlay.Engine, s *store) {
	before := engine.ScalarAsync(ctx, "SELECT 1")
	overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (any, error) {
		go func() { engine.ScalarAsync(ctx, "SELECT 1").Await(ctx) }() // in another goroutine
		later(func() { engine.ScalarAsync(ctx, "SELECT 1").Await(ctx) })
		f := engine.ScalarAsync(ctx, "SELECT 1") // not awaited here
		f.OnDone(func(any, error) {})
		if _, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx); err != nil { // a Conn
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
	overlay.RunInThread(ctx, s.engine, func(ctx context.Context, c *sql.Conn) (any, error) {
		return s.other.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	// changing is not the same engine all the time.
	changing := engine
	overlay.RunInThread(ctx, changing, func(ctx context.Context, c *sql.Conn) (any, error) {
		return changing.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	changing = other
	e.ScalarAsync(ctx, "SELECT 1").OnDone(func(any, error) {
		engine.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	before.OnDone(func(any, error) { before.Await(ctx) })
}

func later(func()) {}
