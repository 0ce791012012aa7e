package liveness_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// endsBy calls Shutdown with a context that ends soon. It must return by then
// with an error that names all places; none means that it may succeed.
func endsBy(t *testing.T, e *overlay.Engine, places ...string) {
	t.Helper()
	const grace = 200 * time.Millisecond
	err := within(t, grace+soon, "Shutdown", func() error { return e.Shutdown(brief(t, grace)) })
	if len(places) == 0 {
		return
	}
	wantError(t, "Shutdown", err, context.DeadlineExceeded)
	for _, place := range places {
		if err == nil || !strings.Contains(err.Error(), place) {
			t.Errorf("Shutdown: the error does not name %s, where something was left open: %v", place, err)
		}
	}
}

// deaf is a function that waits for shut whatever its context does.
func deaf(shut <-chan struct{}) (started chan struct{}, fn func(context.Context, *sql.Conn) (int, error)) {
	started = make(chan struct{})
	return started, func(context.Context, *sql.Conn) (int, error) {
		close(started)
		<-shut
		return 1, nil
	}
}

func TestShutdownNamesWhatIsOpen(t *testing.T) {
	for name, leave := range map[string]func(ctx context.Context, t *testing.T, e *overlay.Engine) (place string, keep any){
		"a Conn": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			f, place := e.ConnectAsync(ctx), here()
			return place, value(t, "ConnectAsync", f)
		},
		"a Tx": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			c := connect(t, e)
			f, place := c.BeginAsync(ctx, nil), here()
			return place, value(t, "BeginAsync", f)
		},
		"a savepoint": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			c := connect(t, e)
			value(t, "BeginAsync", c.BeginAsync(ctx, nil))
			f, place := c.BeginNestedAsync(ctx), here()
			return place, value(t, "BeginNestedAsync", f)
		},
		"a SyncConn transaction": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			f, place := e.ConnectAsync(ctx), here()
			c := value(t, "ConnectAsync", f)
			tx, err := c.SyncConn().BeginTx(ctx, nil)
			noError(t, "BeginTx", err)
			return place, []any{c, tx}
		},
		"SyncConn rows": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			f, place := e.ConnectAsync(ctx), here()
			c := value(t, "ConnectAsync", f)
			rows, err := c.SyncConn().QueryContext(ctx, numbers, 5000)
			noError(t, "QueryContext", err)
			rows.Next()
			return place, []any{c, rows}
		},
		"a function that ignores its context": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			shut, _ := gate(t)
			started, fn := deaf(shut)
			f, place := overlay.RunInThread(ctx, e, fn), here()
			finishes(t, patience, "the function starts", started)
			return place, f
		},
		"a Conn's function that ignores its context": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			c := connect(t, e)
			shut, _ := gate(t)
			started, fn := deaf(shut)
			f, place := overlay.RunInThread(ctx, c, fn), here()
			finishes(t, patience, "the function starts", started)
			return place, []any{c, f}
		},
		"a WithTx whose function ignores its context": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			shut, openGate := gate(t)
			started := make(chan struct{})
			places := make(chan string, 1)
			fn := func(context.Context, *overlay.Conn) error { close(started); <-shut; return nil }
			wait := start(func() (int, error) { places <- here(); return 1, e.WithTx(ctx, nil, fn) })
			t.Cleanup(func() { openGate(); wait(t, patience, "WithTx") })
			finishes(t, patience, "the function starts", started)
			return <-places, nil
		},
		"a WithConn whose function ignores its context": func(ctx context.Context, t *testing.T, e *overlay.Engine) (string, any) {
			shut, openGate := gate(t)
			started := make(chan struct{})
			places := make(chan string, 1)
			fn := func(context.Context, *overlay.Conn) error { close(started); <-shut; return nil }
			wait := start(func() (int, error) { places <- here(); return 1, e.WithConn(ctx, fn) })
			t.Cleanup(func() { openGate(); wait(t, patience, "WithConn") })
			finishes(t, patience, "the function starts", started)
			return <-places, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			place, keep := leave(bounded(t), t, e)
			endsBy(t, e, place)
			_ = keep
		})
	}
}

// Calls that wait are refused, those that run are stopped, and all complete.
func TestShutdownBehindADeafFunctionCompletesTheQueue(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	shut, openGate := gate(t)
	started, fn := deaf(shut)
	f, place := overlay.RunInThread(bounded(t), e, fn), here()
	finishes(t, patience, "the function starts", started)
	var queued []*overlay.Future[sql.Result]
	for range 50 {
		queued = append(queued, e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)"))
	}
	endsBy(t, e, place)
	for _, f := range queued {
		_, err := outcome(t, atOnce, "a queued call", f)
		wantError(t, "a queued call", err, overlay.ErrClosed)
	}
	openGate()
	outcome(t, soon, "the function", f)
	// Nothing of the engine's is left then: see alone.
}

func TestShutdownWithAFunctionThatForgets(t *testing.T) {
	for what, forget := range forgets {
		t.Run(what, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			for _, to := range []overlay.Target{e, c} {
				ctx, cancel := context.WithCancel(bounded(t))
				f := overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) {
					defer cancel()
					return 1, forget(ctx, c)
				})
				outcome(t, soon, "the function", f)
			}
			endsBy(t, e)
		})
	}
}

func TestShutdownWithAStuckDispatcher(t *testing.T) {
	t.Run("that blocks", func(t *testing.T) {
		alone(t)
		shut, openGate := gate(t)
		inside := make(chan struct{}, 1)
		e := openFile(t, overlay.WithDispatcher(func(fn func()) {
			select {
			case inside <- struct{}{}:
			default:
			}
			<-shut
			fn()
		}))
		f := e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)")
		f.OnDone(func(sql.Result, error) {})
		select {
		case <-inside:
		case <-time.After(patience):
			t.Fatalf("the dispatcher was not called\n%s", stacks())
		}
		_, err := outcome(t, atOnce, "the call", f)
		noError(t, "the call", err)
		const grace = 200 * time.Millisecond
		err = within(t, grace+soon, "Shutdown", func() error { return e.Shutdown(brief(t, grace)) })
		wantError(t, "Shutdown", err, context.DeadlineExceeded)
		openGate()
	})
	t.Run("that does nothing", func(t *testing.T) {
		alone(t)
		e := openFile(t, overlay.WithDispatcher(func(func()) {}))
		f := e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)")
		f.OnDone(func(sql.Result, error) {})
		outcome(t, atOnce, "the call", f)
		endsBy(t, e)
	})
}

// A dispatcher that is stuck keeps no other call from completing.
func TestCallsCompleteWhileTheDispatcherIsStuck(t *testing.T) {
	alone(t)
	shut, openGate := gate(t)
	e := openFile(t, overlay.WithLanes(1), overlay.WithDispatcher(func(fn func()) { <-shut; fn() }))
	for range 10 {
		f := e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)")
		f.OnDone(func(sql.Result, error) {})
		_, err := outcome(t, soon, "a call", f)
		noError(t, "a call", err)
	}
	works(t, e)
	openGate()
}

func TestShutdownWithADeadConnection(t *testing.T) {
	alone(t)
	_, _, e := fakeEngine(t, drivertest.Modern)
	c := connect(t, e)
	tx, err := c.SyncConn().BeginTx(bounded(t), nil)
	noError(t, "BeginTx", err)
	outcome(t, soon, "the call that finds out", c.ExecAsync(bounded(t), "badconn"))
	endsBy(t, e)
	within(t, soon, "Rollback", tx.Rollback)
}

func TestShutdownWhileConnectingHangs(t *testing.T) {
	alone(t)
	d, _, e := fakeEngine(t, drivertest.Modern)
	d.On("Connector.Connect", func(k drivertest.Call) error { <-bounded(t).Done(); return context.Canceled })
	f, place := e.ConnectAsync(background), here()
	endsBy(t, e, place)
	_, err := outcome(t, atOnce, "ConnectAsync", f)
	if err == nil {
		t.Error("ConnectAsync succeeded after Shutdown")
	}
}

// A result that has been read into memory is not open.
func TestShutdownWithUnreadResultsSucceeds(t *testing.T) {
	alone(t)
	e := openFile(t)
	r := value(t, "QueryAsync", e.QueryAsync(bounded(t), numbers, 5000))
	err := within(t, soon, "Shutdown", func() error { return e.Shutdown(bounded(t)) })
	noError(t, "Shutdown", err)
	_ = r
}

func TestShutdownWithAnEndedContextReturnsAtOnce(t *testing.T) {
	alone(t)
	e := openFile(t)
	c := connect(t, e)
	ctx, cancel := context.WithCancel(background)
	cancel()
	err := within(t, soon, "Shutdown", func() error { return e.Shutdown(ctx) })
	wantError(t, "Shutdown", err, context.Canceled)
	_ = c
}

// A second Shutdown waits for the first one, but no longer than its own context.
func TestASecondShutdownReturnsByItsContextsEnd(t *testing.T) {
	alone(t)
	e := openFile(t)
	c := connect(t, e)
	first := start(func() (int, error) { return 1, e.Shutdown(bounded(t)) })
	until(t, patience, "the engine refuses calls", func() bool {
		_, err := outcome(t, soon, "a call", e.ExecAsync(background, "SELECT 1"))
		return errors.Is(err, overlay.ErrClosed)
	})
	err := within(t, soon, "the second Shutdown", func() error { return e.Shutdown(brief(t, 100*time.Millisecond)) })
	wantError(t, "the second Shutdown", err, context.DeadlineExceeded)
	outcome(t, soon, "CloseAsync", c.CloseAsync(background))
	_, err = first(t, soon, "the first Shutdown")
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the first Shutdown: %v", err)
	}
}

func TestShutdownInterruptsWhatRuns(t *testing.T) {
	alone(t)
	e := openFile(t)
	f, place := e.QueryAsync(bounded(t), endless), here()
	until(t, patience, "the query runs", func() bool { return e.Stats().Run > 0 && e.Stats().Queued == 0 })
	endsBy(t, e, place)
	_, err := outcome(t, atOnce, "the query", f)
	if err == nil {
		t.Error("an endless query succeeded")
	}
}
