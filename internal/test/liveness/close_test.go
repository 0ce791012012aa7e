package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// opened is all that an application can hold open, one within the other.
type opened struct {
	e            *overlay.Engine
	c, branch    *overlay.Conn
	tx, nested   *overlay.Tx
	result       *overlay.Result
	rows         *sql.Rows
	stmt         *sql.Stmt
	shutdownEnds time.Duration
}

func openAll(t *testing.T) *opened {
	t.Helper()
	o := &opened{e: openFile(t), shutdownEnds: 20 * time.Millisecond}
	ctx := bounded(t)
	o.c = connect(t, o.e)
	o.branch = o.c.Branch()
	var err error
	o.stmt, err = o.c.SyncConn().PrepareContext(ctx, "SELECT 1")
	noError(t, "PrepareContext", err)
	o.tx = value(t, "BeginAsync", o.c.BeginAsync(ctx, nil))
	o.nested = value(t, "BeginNestedAsync", o.c.BeginNestedAsync(ctx))
	o.result = value(t, "QueryAsync", o.c.QueryAsync(ctx, numbers, 1000))
	o.rows, err = o.c.SyncConn().QueryContext(ctx, numbers, 1000)
	noError(t, "QueryContext", err)
	o.rows.Next()
	return o
}

// closers are the ways to close what is open. What they return does not matter,
// only that they do.
func (o *opened) closers() []func() {
	await := func(f *overlay.Future[struct{}]) { f.Await(background) }
	return []func(){
		func() { await(o.c.CloseAsync(background)) },
		func() { await(o.branch.CloseAsync(background)) },
		func() { await(o.tx.CloseAsync(background)) },
		func() { await(o.nested.CommitAsync(background)) },
		func() { o.rows.Close(); await(o.result.CloseAsync(background)); o.stmt.Close() },
		func() {
			ctx, cancel := context.WithTimeout(background, o.shutdownEnds)
			defer cancel()
			o.e.Shutdown(ctx)
		},
	}
}

// orders calls fn with all orders of 0 to n-1.
func orders(n int, fn func([]int)) {
	var rec func(done []int)
	rec = func(done []int) {
		if len(done) == n {
			fn(done)
			return
		}
		for i := range n {
			if !slices.Contains(done, i) {
				rec(append(slices.Clone(done), i))
			}
		}
	}
	rec(nil)
}

func TestClosingReturnsInAnyOrderAndTwice(t *testing.T) {
	alone(t)
	const closers = 6
	var n int
	orders(closers, func(order []int) {
		if n++; n%5 != 0 || t.Failed() { // 144 of 720; one hang tells enough
			return
		}
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			all := openAll(t).closers()
			for range 2 {
				for _, i := range order {
					within(t, soon, fmt.Sprintf("closer %d", i), func() error { all[i](); return nil })
				}
			}
		})
	})
}

func TestClosingAllAtOnceReturns(t *testing.T) {
	for i := range 20 {
		if t.Failed() {
			return // one hang tells enough
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			alone(t)
			o := openAll(t)
			var waits []func(testing.TB, time.Duration, string) (int, error)
			for range 2 {
				for _, closer := range o.closers() {
					waits = append(waits, start(func() (int, error) { closer(); return 1, nil }))
				}
			}
			for i, wait := range waits {
				wait(t, soon, fmt.Sprintf("closer %d", i))
			}
		})
	}
}

// Whatever is queued completes, whoever closes first.
func TestClosingWithWorkQueuedReturns(t *testing.T) {
	for i, name := range []string{"Conn", "Branch", "Tx", "savepoint", "rows", "Engine"} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			o := openAll(t)
			ctx := bounded(t)
			var queued []*overlay.Future[sql.Result]
			for _, to := range []func(context.Context, string, ...any) *overlay.Future[sql.Result]{o.c.ExecAsync, o.branch.ExecAsync, o.e.ExecAsync} {
				for range 50 {
					queued = append(queued, to(ctx, "SELECT 1"))
				}
			}
			within(t, soon, name, func() error { o.closers()[i](); return nil })
			for _, f := range queued {
				outcome(t, soon, "a queued call", f)
			}
			all := o.closers()
			for i, closer := range all {
				within(t, soon, fmt.Sprintf("closer %d", i), func() error { closer(); return nil })
			}
		})
	}
}

// The application may close the pool under an engine.
func TestClosingTheDBUnderAnEngine(t *testing.T) {
	for name, first := range map[string]bool{"before Shutdown": true, "after Shutdown": false} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t))
			e := overlay.New(db)
			works(t, e)
			c := connect(t, e)
			if first {
				noError(t, "sql.DB.Close", within(t, soon, "sql.DB.Close", db.Close))
				outcome(t, soon, "a call", e.ExecAsync(bounded(t), "SELECT 1"))
				outcome(t, soon, "ConnectAsync", e.ConnectAsync(bounded(t)))
			}
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
			within(t, soon, "Shutdown", func() error { return e.Shutdown(bounded(t)) })
			if !first {
				noError(t, "sql.DB.Close", within(t, soon, "sql.DB.Close", db.Close))
			}
			_, err := outcome(t, atOnce, "a call after Shutdown", e.ExecAsync(bounded(t), "SELECT 1"))
			wantError(t, "a call after Shutdown", err, overlay.ErrClosed)
		})
	}
}

// A function that closes its engine or its Conn cannot wait for itself.
func TestClosingInsideAFunctionReturns(t *testing.T) {
	for name, closing := range map[string]func(*overlay.Engine, *overlay.Conn){
		"Shutdown": func(e *overlay.Engine, _ *overlay.Conn) { e.Shutdown(brief(t, 50*time.Millisecond)) },
		"CloseAsync": func(_ *overlay.Engine, c *overlay.Conn) {
			c.CloseAsync(background).Await(brief(t, 50*time.Millisecond))
		},
		"SyncDB": func(e *overlay.Engine, _ *overlay.Conn) { e.SyncDB().Close() },
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			for _, to := range []overlay.Target{e, c} {
				f := overlay.RunInThread(bounded(t), to, func(context.Context, *sql.Conn) (int, error) {
					closing(e, c)
					return 1, nil
				})
				outcome(t, soon, "the function", f)
			}
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
		})
	}
}
