package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// A callback of a write may wait for another write: by then it is no longer the writer's
// turn. What only the writer's thread could do is refused.
func TestWriterCallbackWrites(t *testing.T) {
	ctx := reflectguard.MayBlock(background)
	inTx := func(e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('callback')").Await(ctx))
		})
	}
	syncDB := func(e *overlay.Engine) error {
		return second(e.SyncDB().ExecContext(ctx, "INSERT INTO t (v) VALUES ('callback')"))
	}
	write := func(e *overlay.Engine) error {
		return second(overlay.Write(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(ctx))
	}
	nothing := func(context.Context, *sql.Conn) (int, error) { return 0, nil }
	type future = *overlay.Future[sql.Result]
	insert := func(e *overlay.Engine) future { return e.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('first')") }
	ways := map[string]func(e *overlay.Engine, callback func()) (release func()){
		"lone": func(e *overlay.Engine, callback func()) func() {
			must(t, insert(e))
			must(t, insert(e)) // from now on the writer takes calls to be lone
			return onDone(t, e, callback, insert)
		},
		"group": func(e *overlay.Engine, callback func()) func() {
			release := held(t, e)
			onDone(t, e, callback, insert)
			insert(e)
			return release
		},
		"failed": func(e *overlay.Engine, callback func()) func() {
			release := held(t, e)
			onDone(t, e, callback, func(e *overlay.Engine) future {
				return e.ExecAsync(ctx, "INSERT OR ROLLBACK INTO t VALUES (1, 'x'), (1, 'x')")
			})
			insert(e)
			return release
		},
		"nothing written": func(e *overlay.Engine, callback func()) func() {
			release := held(t, e)
			onDone(t, e, callback, func(e *overlay.Engine) future { return e.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)") })
			return release
		},
		"after a Goexit": func(e *overlay.Engine, callback func()) func() {
			release := held(t, e)
			onDone(t, e, callback, insert)
			overlay.Write(ctx, e, func(context.Context, *sql.Conn) (int, error) { runtime.Goexit(); return 0, nil })
			return release
		},
		"stopped": func(e *overlay.Engine, callback func()) func() {
			ctx, cancel := context.WithCancel(ctx)
			release := held(t, e)
			overlay.Write(ctx, e, func(context.Context, *sql.Conn) (int, error) { cancel(); return 0, ctx.Err() }).OnDone(func(int, error) { callback() })
			overlay.Write(background, e, nothing)
			return release
		},
	}
	for name, start := range ways {
		for _, c := range []struct {
			name string
			wait func(*overlay.Engine) error
			want error
		}{{"WithTx", inTx, nil}, {"SyncDB", syncDB, nil}, {"Write", write, overlay.ErrWouldDeadlock}} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				warnings.Record(t) // keeps the log quiet
				e, _ := withWriter(t)
				called := make(chan error, 1)
				release := start(e, func() { called <- c.wait(e) })
				release()
				select {
				case err := <-called:
					if !errors.Is(err, c.want) && !(name == "stopped" && err == nil) { // that one is on a goroutine of its own
						t.Errorf("the callback's write: %v, want %v", err, c.want)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the callback's write hangs")
				}
				must(t, e.ExecAsync(background, "INSERT INTO t (v) VALUES ('later')"))
			})
		}
	}
}

// onDone has a write made and callback called when it is done.
func onDone(t *testing.T, e *overlay.Engine, callback func(), write func(*overlay.Engine) *overlay.Future[sql.Result]) (release func()) {
	t.Helper()
	write(e).OnDone(func(sql.Result, error) { callback() })
	return func() {}
}
