package dispatcher

import (
	"context"
	"database/sql"

	"github.com/sqlaio/sqlaio/overlay"
)

func open(db *sql.DB) *overlay.Engine {
	return overlay.New(db, overlay.WithDispatcher(func(fn func()) { go fn() }))
}

func callbacks(ctx context.Context, conn *overlay.Conn) {
	conn.ScalarAsync(ctx, "SELECT 1").OnDone(func(any, error) {
		conn.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	})
	overlay.RunInThread(ctx, conn, func(ctx context.Context, c *sql.Conn) (any, error) {
		return conn.ScalarAsync(ctx, "SELECT 1").Await(ctx) // want `Await on the thread of conn`
	})
}
