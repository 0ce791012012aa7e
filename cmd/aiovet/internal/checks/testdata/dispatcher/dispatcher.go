package dispatcher

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

func open(db *sql.DB) *overlay.Engine {
	return overlay.New(db, overlay.WithDispatcher(func(fn func()) { go fn() }))
}

func callbacks(ctx context.Context, engine *overlay.Engine) {
	engine.ScalarAsync(ctx, "SELECT 1").OnDone(func(any, error) {
		engine.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (any, error) {
		return engine.ScalarAsync(ctx, "SELECT 1").Await(ctx) // want `Await on a lane of engine`
	})
}
