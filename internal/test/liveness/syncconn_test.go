package liveness_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// syncCalls are the calls that may stand before a function in a Conn's queue.
var syncCalls = map[string]func(ctx context.Context, c *sql.Conn) error{
	"QueryRowContext": func(ctx context.Context, c *sql.Conn) error {
		var n int
		return c.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	},
	"ExecContext": func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "INSERT INTO t (id) VALUES (1)")
		return err
	},
	"PingContext": func(ctx context.Context, c *sql.Conn) error { return c.PingContext(ctx) },
	"BeginTx": func(ctx context.Context, c *sql.Conn) error {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		return tx.Commit()
	},
	"Raw": func(ctx context.Context, c *sql.Conn) error {
		return aio.Raw(ctx, c, func(driver.Conn) error { return nil })
	},
}

// A SyncConn call waits for the thread; a function that was asked for later
// uses a connection of its own there.
func TestASyncConnCallBeforeAFunction(t *testing.T) {
	for name, call := range syncCalls {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			ctx := bounded(t)
			w, err := aio.Thread(c.SyncConn())
			noError(t, "Thread", err)
			for range 3 {
				shut, openGate := gate(t)
				first := overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) { <-shut; return 1, nil })
				waits := start(func() (struct{}, error) { return struct{}{}, call(ctx, c.SyncConn()) })
				// It queues at the thread, or where the overlay has it wait.
				for begin := time.Now(); w.Stats().Queued == 0 && time.Since(begin) < 50*time.Millisecond; {
					time.Sleep(time.Millisecond)
				}
				second := overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (int, error) {
					var n int
					return n, c.QueryRowContext(ctx, "SELECT 2").Scan(&n)
				})
				openGate()
				value(t, "the first function", first)
				value(t, "the second function", second)
				_, err := waits(t, patience, "the call on SyncConn")
				noError(t, "the call on SyncConn", err)
			}
			_, err = outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
			noError(t, "CloseAsync", err)
		})
	}
}

// A call on the Conn that is made while its SyncConn holds rows, a statement or
// a transaction must not wait for them.
func TestFunctionsRunWhileSyncConnHoldsSomething(t *testing.T) {
	for name, hold := range map[string]func(context.Context, *sql.Conn) (func() error, error){
		"rows": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			rows, err := c.QueryContext(ctx, numbers, 5000)
			if err != nil {
				return nil, err
			}
			rows.Next()
			return rows.Close, nil
		},
		"a statement": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			s, err := c.PrepareContext(ctx, "SELECT 1")
			if err != nil {
				return nil, err
			}
			return s.Close, nil
		},
		"a transaction": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return nil, err
			}
			return tx.Rollback, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			ctx := bounded(t)
			release, err := hold(ctx, c.SyncConn())
			noError(t, name, err)
			n, err := outcome(t, soon, "the function", overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (n int, err error) {
				return n, c.QueryRowContext(ctx, "SELECT 1").Scan(&n)
			}))
			_ = n
			noError(t, "the function", err)
			noError(t, "the release", within(t, soon, "the release", release))
			_, err = outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
			noError(t, "CloseAsync", err)
		})
	}
}

// A connection that turns out to be dead is closed whole, whatever is open on
// its SyncConn and whoever finds out.
func TestADeadConnectionWithSomethingOpenOnSyncConn(t *testing.T) {
	holds := map[string]func(context.Context, *sql.Conn) (func() error, error){
		"a transaction": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return nil, err
			}
			return tx.Rollback, nil
		},
		"a transaction to commit": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return nil, err
			}
			return tx.Commit, nil
		},
		"rows": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			rows, err := c.QueryContext(ctx, "rows 1000")
			if err != nil {
				return nil, err
			}
			return rows.Close, nil
		},
		"a statement": func(ctx context.Context, c *sql.Conn) (func() error, error) {
			s, err := c.PrepareContext(ctx, "rows 3")
			if err != nil {
				return nil, err
			}
			return s.Close, nil
		},
	}
	finds := map[string]func(context.Context, *overlay.Conn) error{
		"ExecAsync": func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "badconn").Await(ctx)
			return err
		},
		"RunInThread": func(ctx context.Context, c *overlay.Conn) error {
			_, err := overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
				return c.ExecContext(ctx, "badconn")
			}).Await(ctx)
			return err
		},
		"SyncConn": func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.SyncConn().ExecContext(ctx, "badconn")
			return err
		},
	}
	for what, hold := range holds {
		for who, find := range finds {
			t.Run(what+" found by "+who, func(t *testing.T) {
				alone(t)
				_, db, e := fakeEngine(t, drivertest.Modern)
				c := connect(t, e)
				ctx := bounded(t)
				release, err := hold(ctx, c.SyncConn())
				noError(t, what, err)
				err = within(t, soon, who, func() error { return find(ctx, c) })
				if who == "SyncConn" { // database/sql must not see that error: it would wait for what is open
					if err == nil || errors.Is(err, driver.ErrBadConn) {
						t.Errorf("%s: %v", who, err)
					}
				} else {
					wantError(t, who, err, driver.ErrBadConn)
				}
				within(t, soon, "ending "+what, release)
				outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
				value(t, "the next call", e.ExecAsync(ctx, "noop"))
				until(t, soon, "the pool has its connection back", func() bool { return db.Stats().InUse <= 1 })
			})
		}
	}
}
