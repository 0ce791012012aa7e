package scope

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

type store struct{ engine, audit *overlay.Engine }

func reported(ctx context.Context, s *store, e *overlay.Engine) {
	e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		if _, err := e.ExecAsync(ctx, "DELETE FROM cart").Await(ctx); err != nil { // want `e.ExecAsync in WithTx is not part of its transaction: use c`
			return err
		}
		if _, err := overlay.Scalar[int](ctx, e, "SELECT 1").Await(ctx); err != nil { // want `overlay.Scalar\[int\] in WithTx is not part of its transaction: use c`
			return err
		}
		e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil }) // want `e.WithTx in WithTx is not part`
		return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
			_, err := e.ExecContext(ctx, "DELETE FROM log") // want `e.ExecContext in WithTx is not part`
			return err
		})
	})
	s.engine.RetryTx(ctx, nil, func(ctx context.Context, _ *overlay.Conn) error {
		f := s.engine.ExecAsync(ctx, "DELETE FROM cart") // want `s.engine.ExecAsync in RetryTx is not part of its transaction: use the Conn that its function gets`
		_, err := f.Await(ctx)
		return err
	})
}

func meant(ctx context.Context, s *store, e *overlay.Engine) {
	e.WithTx(ctx, nil, func(in context.Context, c *overlay.Conn) error {
		e.ExecAsync(ctx, "INSERT INTO attempts VALUES (1)").Await(ctx) // not the scope's context
		s.audit.ExecAsync(in, "INSERT INTO log VALUES (1)").Await(in)  // another engine
		e.HasTableAsync(in, "cart", overlay.On(c)).Await(in)           // on the Conn
		c.ExecAsync(in, "DELETE FROM cart").Await(in)
		e.ConnectAsync(in).Await(in) // says so
		e.Stats()
		go func() { e.ExecAsync(in, "DELETE FROM log").Await(in) }()
		c.ScalarAsync(in, "SELECT 1").OnDone(func(any, error) { e.ExecAsync(in, "DELETE FROM log") })
		//aiovet:ignore it is to be kept when the transaction is rolled back
		e.ExecAsync(in, "INSERT INTO attempts VALUES (1)").Await(in)
		_, err := overlay.RunInThread(in, c, func(context.Context, *sql.Conn) (int, error) { return 1, nil }).Await(in)
		return err
	})
	e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
		_, err := e.ExecAsync(ctx, "DELETE FROM cart").Await(ctx)
		return err
	})
	s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := s.audit.ExecAsync(ctx, "INSERT INTO log VALUES (1)").Await(ctx)
		return err
	})
}
