package overlay_test

import (
	"context"
	"database/sql"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// However many functions and callbacks end their goroutine, every future completes, and the
// engine goes on.
func TestGoexitInFunctionsAndCallbacks(t *testing.T) {
	type future = *overlay.Future[int]
	type function = func(context.Context, *sql.Conn) (int, error)
	fine := func(context.Context, *sql.Conn) (int, error) { return 0, nil }
	for name, start := range map[string]func(t *testing.T, e *overlay.Engine, exit function) (fs []future, release func()){
		"on lanes": func(t *testing.T, e *overlay.Engine, exit function) (fs []future, release func()) {
			for range 4 {
				fs = append(fs, overlay.RunInThread(background, e, exit))
			}
			return fs, func() {}
		},
		"on a Conn": func(t *testing.T, e *overlay.Engine, exit function) (fs []future, release func()) {
			c := must(t, e.ConnectAsync(background))
			for range 4 {
				fs = append(fs, overlay.RunInThread(background, c, exit))
			}
			return fs, func() { c.CloseAsync(background) }
		},
		"members": func(t *testing.T, e *overlay.Engine, exit function) (fs []future, release func()) {
			release = held(t, e)
			for range 4 {
				fs = append(fs, overlay.Write(background, e, exit))
			}
			return fs, release
		},
		"members that lose the transaction": func(t *testing.T, e *overlay.Engine, _ function) (fs []future, release func()) {
			must(t, e.ExecAsync(background, "INSERT INTO t VALUES (1, 'x')"))
			release = held(t, e)
			for i := range 3 {
				var runs atomic.Int32
				fs = append(fs, overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
					if int(runs.Add(1)) < 3-i {
						return 0, nil
					}
					return 0, second(c.ExecContext(ctx, "INSERT OR ROLLBACK INTO t VALUES (1, 'y')"))
				}))
			}
			return fs, release
		},
		"beside a cancelled member": func(t *testing.T, e *overlay.Engine, exit function) (fs []future, release func()) {
			release = held(t, e)
			cancelled, other := overlay.Write(background, e, fine), overlay.Write(background, e, fine)
			culprit := overlay.Write(background, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				cancelled.Cancel()
				return exit(ctx, c)
			})
			return []future{cancelled, other, culprit}, release
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := withWriter(t)
			gate := make(chan struct{})
			fs, release := start(t, e, func(context.Context, *sql.Conn) (int, error) {
				<-gate
				runtime.Goexit()
				return 0, nil
			})
			for _, f := range fs {
				f.OnDone(func(int, error) { runtime.Goexit() })
			}
			close(gate)
			release()
			for _, f := range fs {
				within(t, "the end of a future", f.Done())
			}
			must(t, e.ExecAsync(background, "INSERT INTO t (v) VALUES ('later')"))
			must(t, e.QueryAsync(background, "SELECT 1"))
			noError(t, e.Shutdown(atMost(t, 5*time.Second)))
		})
	}
}
