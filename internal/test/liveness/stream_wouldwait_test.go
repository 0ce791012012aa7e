package liveness_test

import (
	"context"

	"github.com/sqlaio/sqlaio/overlay"
)

func init() {
	engineCalls["BeginTx"] = func(ctx context.Context, e *overlay.Engine) error {
		tx, err := e.BeginTx(ctx, nil)
		if err == nil {
			tx.Rollback()
		}
		return err
	}
	engineCalls["StreamAsync"] = func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.StreamAsync(ctx, "SELECT 1").Await(ctx)
		return err
	}
	engineCalls["Collect"] = func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.Collect[int](ctx, e, "SELECT 1").Await(ctx)
		return err
	}
	engineCalls["One"] = func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.One[int](ctx, e, "SELECT 1").Await(ctx)
		return err
	}
	turns["StreamAsync"] = func(ctx context.Context, e *overlay.Engine) error {
		r, err := e.StreamAsync(ctx, numbers, 1000).Await(ctx)
		if err != nil {
			return err
		}
		_, err = r.CloseAsync(ctx).Await(ctx)
		return err
	}
}
