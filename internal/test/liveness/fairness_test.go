package liveness_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// busy keeps an engine's queue filled until stop is called: each call that ends
// is followed by another one before its lane can look for the next.
func busy(t *testing.T, e *overlay.Engine) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(bounded(t))
	var wg sync.WaitGroup
	var again func()
	again = func() {
		overlay.Scalar[int](background, e, "SELECT 1").OnDone(func(_ int, err error) {
			switch {
			case err != nil:
				t.Errorf("a call of the crowd: %v", err)
				wg.Done()
			case ctx.Err() != nil:
				wg.Done()
			default:
				again()
			}
		})
	}
	for range 100 {
		wg.Add(1)
		again()
	}
	until(t, patience, "the crowd is there", func() bool { return e.Stats().Run > 100 })
	return func() {
		cancel()
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		finishes(t, soon, "the crowd's calls", done)
	}
}

// turns are the ways to need a connection that lanes hold.
var turns = map[string]func(context.Context, *overlay.Engine) error{
	"ConnectAsync": func(ctx context.Context, e *overlay.Engine) error {
		c, err := e.ConnectAsync(ctx).Await(ctx)
		if err != nil {
			return err
		}
		_, err = c.CloseAsync(ctx).Await(ctx)
		return err
	},
	"WithConn": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
	},
	"WithTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t (id) VALUES (1)").Await(ctx)
			return err
		})
	},
	"RetryTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.RetryTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"RunCallable": func(ctx context.Context, e *overlay.Engine) error {
		return e.RunCallable(ctx, func(*sql.Conn) error { return nil })
	},
	"SyncDB": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "INSERT INTO t (id) VALUES (1)")
		return err
	},
	"the crowd's own kind": func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.Scalar[int](ctx, e, "SELECT 1").Await(ctx)
		return err
	},
}

func TestWhoNeedsAConnectionGetsATurnWhileTheQueueIsNeverEmpty(t *testing.T) {
	for most := 1; most <= 2; most++ {
		for name, turn := range turns {
			t.Run(fmt.Sprintf("%s of %d", name, most), func(t *testing.T) {
				alone(t)
				db := openAio(t, "sqlite3:"+newFile(t)+"?_busy_timeout=10000&_journal_mode=WAL")
				db.SetMaxOpenConns(most)
				e := overDB(t, db, overlay.WithLanes(most))
				stop := busy(t, e)
				for range 3 {
					err := within(t, soon, name, func() error { return turn(bounded(t), e) })
					noError(t, name, err)
				}
				stop()
				works(t, e)
			})
		}
	}
}

// The other way round: those who take connections leave turns to the queue.
func TestTheQueueGetsATurnWhileConnectionsAreTaken(t *testing.T) {
	for most := 1; most <= 2; most++ {
		t.Run(fmt.Sprintf("%d", most), func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t)+"?_busy_timeout=10000&_journal_mode=WAL")
			db.SetMaxOpenConns(most)
			e := overDB(t, db, overlay.WithLanes(most))
			ctx, cancel := context.WithCancel(bounded(t))
			defer cancel()
			var waits []func(testing.TB) error
			for range 8 {
				wait := start(func() (int, error) {
					for ctx.Err() == nil {
						err := e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
							_, err := overlay.Scalar[int](ctx, c, "SELECT 1").Await(ctx)
							return err
						})
						if err != nil && ctx.Err() == nil {
							return 0, err
						}
					}
					return 1, nil
				})
				waits = append(waits, func(t testing.TB) error { t.Helper(); _, err := wait(t, soon, "a scope"); return err })
			}
			for range 10 {
				works(t, e)
			}
			cancel()
			for _, wait := range waits {
				if err := wait(t); err != nil && !errors.Is(err, context.Canceled) {
					t.Errorf("a scope: %v", err)
				}
			}
		})
	}
}
