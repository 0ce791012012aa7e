package dropped

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

func save(ctx context.Context, e *overlay.Engine) *overlay.Future[sql.Result] {
	return e.ExecAsync(ctx, "INSERT INTO log VALUES (1)")
}

func reported(ctx context.Context, e *overlay.Engine, c *overlay.Conn, tx *overlay.Tx) {
	e.ExecAsync(ctx, "DELETE FROM cart")                                        // want `the future of e.ExecAsync is dropped, and its error with it: await it, or give it an OnDone`
	_ = c.ExecAsync(ctx, "DELETE FROM cart")                                    // want `the future of c.ExecAsync is dropped`
	save(ctx, e)                                                                // want `the future of save is dropped`
	overlay.Scalar[int](ctx, e, "SELECT 1")                                     // want `the future of overlay.Scalar\[int\] is dropped`
	defer tx.RollbackAsync(ctx)                                                 // want `the future of tx.RollbackAsync is dropped`
	overlay.Then(save(ctx, e), func(sql.Result) (int, error) { return 0, nil }) // want `the future of overlay.Then is dropped`
	_, x := e.ExecAsync(ctx, "DELETE FROM cart"), 1                             // want `the future of e.ExecAsync is dropped`
	go e.ExecAsync(ctx, "DELETE FROM cart")                                     // want `the future of e.ExecAsync is dropped`
	(e.ExecAsync(ctx, "DELETE FROM cart"))                                      // want `the future of e.ExecAsync is dropped`
	_ = x
}

func inScope(ctx context.Context, e *overlay.Engine) error {
	return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		c.ExecAsync(ctx, "DELETE FROM cart") // heard of by WithTx
		_, err := c.ExecAsync(ctx, "DELETE FROM orders").Await(ctx)
		c.ExecAsync(ctx, "DELETE FROM log") // want `the future of c.ExecAsync is dropped`
		return err
	})
}

func awaited(ctx context.Context, e *overlay.Engine, c *overlay.Conn, tx *overlay.Tx, r *overlay.Result) error {
	e.ExecAsync(ctx, "DELETE FROM cart").Await(ctx)
	e.ExecAsync(ctx, "DELETE FROM cart").OnDone(func(sql.Result, error) {})
	f := save(ctx, e)
	_ = f
	fs := []*overlay.Future[sql.Result]{save(ctx, e)}
	if _, err := overlay.All(fs...).Await(ctx); err != nil {
		return err
	}
	defer c.CloseAsync(ctx)
	tx.CloseAsync(ctx)
	_ = r.CloseAsync(ctx)
	e.ExecAsync(ctx, "PRAGMA optimize") //aiovet:ignore it does not matter whether it works
	//aiovet:ignore neither does this
	e.ExecAsync(ctx, "PRAGMA optimize")
	_, err := f.Await(ctx)
	return err
}
