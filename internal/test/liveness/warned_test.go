package liveness_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// collect drops what nobody holds.
func collect() {
	for range 5 {
		runtime.GC()
		time.Sleep(5 * time.Millisecond) // finalizers and cleanups have a goroutine of their own
	}
}

// What waits to be closed was not forgotten, also if nobody holds it any longer.
func TestNoResourceWarningWhileAnEndIsQueued(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, c *overlay.Conn){
		"Conn.CloseAsync": func(t *testing.T, c *overlay.Conn) { c.CloseAsync(background) },
		"Tx.CommitAsync": func(t *testing.T, c *overlay.Conn) {
			c.BeginAsync(background, nil).OnDone(func(tx *overlay.Tx, _ error) { tx.CommitAsync(background) })
		},
		"Tx.RollbackAsync": func(t *testing.T, c *overlay.Conn) {
			c.BeginAsync(background, nil).OnDone(func(tx *overlay.Tx, _ error) { tx.RollbackAsync(background) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			rec := warnings.Record(t)
			e := openFile(t)
			shut, openGate := gate(t)
			func() {
				c := connect(t, e)
				c.SyncConn()
				started, fn := deaf(shut)
				overlay.RunInThread(bounded(t), c, fn)
				finishes(t, patience, "the function starts", started)
				end(t, c)
				if name != "Conn.CloseAsync" {
					c.CloseAsync(background)
				}
			}()
			collect()
			openGate()
			until(t, soon, "the connection is back", func() bool { return e.SyncDB().Stats().InUse == 0 })
			collect()
			for _, w := range rec.Matching(warnings.OfCategory(warnings.Resource)) {
				t.Errorf("a warning about what was being closed: %v", w)
			}
		})
	}
}

// A Tx whose end is queued behind a long call is not forgotten.
func TestNoResourceWarningWhileATxsEndIsQueued(t *testing.T) {
	for name, end := range map[string]func(*overlay.Tx) *overlay.Future[struct{}]{
		"CommitAsync":   func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CommitAsync(background) },
		"RollbackAsync": func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.RollbackAsync(background) },
		"CloseAsync":    func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CloseAsync(background) },
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			rec := warnings.Record(t)
			e := openFile(t)
			c := connect(t, e)
			shut, openGate := gate(t)
			f := func() *overlay.Future[struct{}] {
				tx := value(t, "BeginAsync", c.BeginAsync(bounded(t), nil))
				value(t, "an insert", c.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)"))
				started, fn := deaf(shut)
				overlay.RunInThread(bounded(t), c, fn)
				finishes(t, patience, "the function starts", started)
				return end(tx)
			}()
			collect()
			openGate()
			_, err := outcome(t, soon, name, f)
			noError(t, name, err)
			want := 0
			if name == "CommitAsync" {
				want = 1
			}
			if n := count(t, e.SyncDB(), "t"); n != want {
				t.Errorf("%d rows, not %d", n, want)
			}
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
			for _, w := range rec.Matching(warnings.OfCategory(warnings.Resource)) {
				t.Errorf("a warning about what was being closed: %v", w)
			}
		})
	}
}

// blocking are calls that block in a context where nothing may block.
var blocking = map[string]func(t *testing.T, ctx context.Context, e *overlay.Engine) error{
	"Await": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		shut, openGate := gate(t)
		started, fn := deaf(shut)
		f := overlay.RunInThread(background, e, fn)
		finishes(t, patience, "the function starts", started)
		time.AfterFunc(10*time.Millisecond, openGate)
		_, err := f.Await(ctx)
		return err
	},
	"WithTx": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"RetryTx": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		return e.RetryTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"WithConn": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		return e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
	},
	"Conn.WithTx": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		c := connect(t, e)
		defer c.CloseAsync(background)
		return c.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"WithNested": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		c := connect(t, e)
		defer c.CloseAsync(background)
		return c.WithNested(ctx, func(context.Context, *overlay.Conn) error { return nil })
	},
	"RunCallable": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		return e.RunCallable(ctx, func(*sql.Conn) error { return nil })
	},
	"SyncDB": func(t *testing.T, ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "SELECT 1")
		return err
	},
	"Shutdown": func(t *testing.T, ctx context.Context, e *overlay.Engine) error { return e.Shutdown(ctx) },
}

func TestWhatBlocksWhereNothingMayBlockWarns(t *testing.T) {
	for name, call := range blocking {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			works(t, e)
			rec := warnings.Record(t)
			ctx := reflectguard.NonBlocking(bounded(t))
			noError(t, name, within(t, patience, name, func() error { return call(t, ctx, e) }))
			if found := rec.Matching(warnings.OfCategory(warnings.Blocking)); len(found) != 1 {
				t.Errorf("%d warnings that the call blocks: %v", len(found), found)
			}
		})
	}
}

// Where warnings are errors the call fails with its own, and is not made.
func TestWhatBlocksWhereNothingMayBlockFails(t *testing.T) {
	for name, call := range blocking {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			works(t, e)
			undo := warnings.Filter(warnings.Error, warnings.OfCategory(warnings.Blocking))
			defer undo()
			ctx := reflectguard.NonBlocking(bounded(t))
			err := within(t, patience, name, func() error { return call(t, ctx, e) })
			var w *warnings.BlockingWarning
			if !errors.As(err, &w) {
				t.Errorf("the error is %v, not a BlockingWarning", err)
			}
		})
	}
}

// A warning that has no call to fail is shown, where warnings are errors.
func TestAWarningWithoutACallIsShownWhereWarningsAreErrors(t *testing.T) {
	for name, forget := range map[string]func(t *testing.T, e *overlay.Engine){
		"a Conn": func(t *testing.T, e *overlay.Engine) { connect(t, e) },
		"a failed future": func(t *testing.T, e *overlay.Engine) {
			f := e.ExecAsync(bounded(t), "nonsense")
			finishes(t, patience, "the call", f.Done())
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			undoFilter := warnings.Filter(warnings.Error)
			defer undoFilter()
			var mu sync.Mutex
			var shown []warnings.Warning
			undoHandler := warnings.SetHandler(func(w warnings.Warning) {
				mu.Lock()
				defer mu.Unlock()
				shown = append(shown, w)
			})
			defer undoHandler()
			e := openFile(t)
			forget(t, e)
			until(t, patience, "the warning is shown", func() bool {
				runtime.GC()
				mu.Lock()
				defer mu.Unlock()
				return len(shown) > 0
			})
		})
	}
}
