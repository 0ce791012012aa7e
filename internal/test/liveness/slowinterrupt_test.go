package liveness_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// waitAsked waits until the slow driver is asked to stop a call.
func (d *slowDriver) waitAsked(t *testing.T) {
	t.Helper()
	select {
	case <-d.asked:
	case <-time.After(patience):
		t.Fatalf("no Interrupt came\n%s", stacks())
	}
}

// ran waits until the driver has had a call of a method.
func (d *slowDriver) ran(t *testing.T, method string) {
	t.Helper()
	until(t, patience, method+" runs", func() bool { return d.Count(method) > 0 })
}

func TestAwaitReturnsWhileAnInterruptIsSlow(t *testing.T) {
	t.Run("the call's context", func(t *testing.T) {
		alone(t)
		_, _, e := slowEngine(t)
		ctx := brief(t, 100*time.Millisecond)
		_, err := result(t, soon, "Await", func() (sql.Result, error) { return e.ExecAsync(ctx, "interruptible").Await(ctx) })
		wantError(t, "Await", err, context.DeadlineExceeded, overlay.ErrOutcomeUnknown)
	})
	t.Run("a query", func(t *testing.T) {
		alone(t)
		_, _, e := slowEngine(t)
		ctx := brief(t, 100*time.Millisecond)
		_, err := result(t, soon, "Await", func() (*overlay.Result, error) {
			return e.QueryAsync(ctx, "rows 3 block at 1").Await(ctx)
		})
		wantError(t, "Await", err, context.DeadlineExceeded)
	})
	t.Run("another context", func(t *testing.T) {
		alone(t)
		d, _, e := slowEngine(t)
		call, cancel := context.WithCancel(bounded(t))
		f := e.ExecAsync(call, "interruptible")
		d.ran(t, "Conn.ExecContext")
		ctx, stop := context.WithCancel(background)
		stop()
		_, err := result(t, atOnce, "Await", func() (sql.Result, error) { return f.Await(ctx) })
		wantError(t, "Await", err, context.Canceled)
		cancel()
		_, err = outcome(t, soon, "the call", f)
		wantError(t, "the call", err, context.Canceled)
	})
}

func TestCancelReturnsWhileAnInterruptIsSlow(t *testing.T) {
	alone(t)
	d, _, e := slowEngine(t)
	f := e.ExecAsync(bounded(t), "interruptible")
	d.ran(t, "Conn.ExecContext")
	within(t, atOnce, "Cancel", func() error { f.Cancel(); return nil })
	d.waitAsked(t)
	within(t, atOnce, "Cancel during the Interrupt", func() error { f.Cancel(); return nil })
	_, err := outcome(t, soon, "the call", f)
	wantError(t, "the call", err, context.Canceled)
}

// The calls of others go on, on other lanes; the next call on the connection
// waits for the Interrupt, and its own context ends that waiting.
func TestOthersGoOnWhileAnInterruptIsSlow(t *testing.T) {
	alone(t)
	d, _, e := slowEngine(t, overlay.WithLanes(2))
	c := connect(t, e)
	f := c.ExecAsync(bounded(t), "interruptible")
	d.ran(t, "Conn.ExecContext")
	f.Cancel()
	d.waitAsked(t)
	_, err := outcome(t, soon, "another lane's call", e.ExecAsync(bounded(t), "affected 1"))
	noError(t, "another lane's call", err)
	ctx := brief(t, 50*time.Millisecond)
	_, err = result(t, soon, "the next call's Await", func() (sql.Result, error) { return c.ExecAsync(ctx, "affected 1").Await(ctx) })
	if err != nil {
		wantError(t, "the next call", err, context.DeadlineExceeded)
	}
	within(t, soon, "SyncConn", func() error {
		_, err := c.SyncConn().ExecContext(brief(t, 50*time.Millisecond), "affected 1")
		return err
	})
	d.release()
	outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
}

func TestScopesAndShutdownReturnWhileAnInterruptIsSlow(t *testing.T) {
	t.Run("WithTx", func(t *testing.T) {
		alone(t)
		_, _, e := slowEngine(t)
		err := within(t, soon, "WithTx", func() error {
			return e.WithTx(brief(t, 100*time.Millisecond), nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "interruptible").Await(ctx)
				return err
			})
		})
		wantError(t, "WithTx", err, context.DeadlineExceeded)
	})
	t.Run("Shutdown", func(t *testing.T) {
		alone(t)
		d, _, e := slowEngine(t)
		f, place := e.ExecAsync(bounded(t), "interruptible"), here()
		d.ran(t, "Conn.ExecContext")
		endsBy(t, e, place)
		_, err := outcome(t, atOnce, "the call", f)
		if err == nil {
			t.Error("a call that was never answered succeeded")
		}
	})
	t.Run("RunInThread", func(t *testing.T) {
		alone(t)
		_, _, e := slowEngine(t)
		ctx := brief(t, 100*time.Millisecond)
		_, err := outcome(t, soon, "the function", overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, "interruptible")
		}))
		wantError(t, "the function", err, context.DeadlineExceeded)
	})
}

// database/sql's face keeps the same promise.
func TestDatabaseSQLReturnsWhileAnInterruptIsSlow(t *testing.T) {
	for name, call := range map[string]func(context.Context, *sql.DB) error{
		"ExecContext": func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, "interruptible")
			return err
		},
		"QueryContext": func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "rows 3 block at 1")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
		"Rows.Close": func(ctx context.Context, db *sql.DB) error {
			rows, err := db.QueryContext(ctx, "rows 3 block at 2")
			if err != nil {
				return err
			}
			rows.Next()
			<-ctx.Done()
			rows.Close()
			return ctx.Err()
		},
		"a statement": func(ctx context.Context, db *sql.DB) error {
			s, err := db.PrepareContext(ctx, "interruptible")
			if err != nil {
				return err
			}
			_, err = s.ExecContext(ctx)
			go s.Close()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			_, db, _ := slowEngine(t)
			err := within(t, soon, name, func() error { return call(brief(t, 100*time.Millisecond), db) })
			wantError(t, name, err, context.DeadlineExceeded)
		})
	}
}
