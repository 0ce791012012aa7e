package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A panic in a callback is heard of: it ends the program, with its own stack, and does not
// end a connection in silence. The program is this test, run once more.
func TestPanicInACallbackEndsTheProgram(t *testing.T) {
	const child = "SQLAIO_PANIC_IN_CALLBACK"
	if os.Getenv(child) != "" {
		e := overlay.New(newScripted().openDB())
		gate := make(chan struct{})
		f := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) { <-gate; return 0, nil })
		f.OnDone(func(int, error) { panicsInCallback() })
		close(gate)
		select {}
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=20s")
	c.Env = append(os.Environ(), child+"=1")
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "panic: ") || !strings.Contains(string(out), "panicsInCallback") ||
		strings.Contains(string(out), "test timed out") {
		t.Errorf("the program ended with %v:\n%s", err, out)
	}
}

func panicsInCallback() { panic("out of a callback") }

// A callback that ends its goroutine, as t.FailNow does, ends neither the callbacks after it nor
// Shutdown.
func TestGoexitInACallback(t *testing.T) {
	db := newScripted().openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1), overlay.WithDispatcher(func(fn func()) { fn() }))
	exited, called := make(chan struct{}), make(chan struct{})
	e.ExecAsync(background, "noop").OnDone(func(sql.Result, error) { close(exited); runtime.Goexit() })
	within(t, "the callback", exited)
	e.ExecAsync(background, "noop").OnDone(func(sql.Result, error) { close(called) })
	within(t, "a later callback", called)
	noError(t, e.Shutdown(atMost(t, patience)))
}

// One that ends its goroutine in a callback of All ends neither the callbacks of the calls
// that All waits for, nor another All.
func TestGoexitInACallbackOfAll(t *testing.T) {
	db := newScripted().openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	release, called := occupy(t, e), make(chan struct{})
	f := e.ExecAsync(background, "noop")
	f.OnDone(func(sql.Result, error) { close(called) })
	overlay.All(f).OnDone(func([]sql.Result, error) { runtime.Goexit() })
	other := overlay.All(f)
	release()
	within(t, "another All", other.Done())
	within(t, "the call's own callback", called)
	noError(t, e.Shutdown(atMost(t, patience)))
}

// A function of Then is called after the callbacks that came before it: none of them can
// wait for it.
func TestThenAwaitedInACallback(t *testing.T) {
	for name, opts := range map[string][]overlay.Option{
		"thread":     {overlay.WithLanes(1)},
		"dispatcher": {overlay.WithLanes(1), overlay.WithDispatcher(func(fn func()) { fn() })},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := onFile(t, opts...)
			release := occupy(t, e)
			f := e.ExecAsync(background, "insert into t values (1)")
			var then, all *overlay.Future[int]
			errs := make(chan error, 2)
			f.OnDone(func(sql.Result, error) {
				_, err := then.Await(atMost(t, patience))
				errs <- err
				_, err = all.Await(atMost(t, patience))
				errs <- err
			})
			then = overlay.Then(f, func(sql.Result) (int, error) { return 7, nil })
			all = overlay.Join2(then, f, func(n int, _ sql.Result) (int, error) { return n, nil })
			release()
			for range 2 {
				if err := <-errs; !errors.Is(err, overlay.ErrWouldDeadlock) {
					t.Errorf("in a callback: %v, want ErrWouldDeadlock", err)
				}
			}
			if n := must(t, all); n != 7 {
				t.Errorf("afterwards: %d, want 7", n)
			}
		})
	}
}

// Whoever stops a call that waits does not wait for its callbacks.
func TestStopDoesNotWaitForCallbacks(t *testing.T) {
	for name, stop := range map[string]func(e *overlay.Engine, f *overlay.Future[sql.Result]){
		"Cancel":        func(_ *overlay.Engine, f *overlay.Future[sql.Result]) { f.Cancel() },
		"Cancel of All": func(_ *overlay.Engine, f *overlay.Future[sql.Result]) { overlay.All(f).Cancel() },
		"Shutdown": func(e *overlay.Engine, _ *overlay.Future[sql.Result]) {
			ctx, cancel := context.WithCancel(background)
			cancel()
			e.Shutdown(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := newScripted().openDB()
			defer db.Close()
			e := overlay.New(db, overlay.WithLanes(1))
			release := occupy(t, e)
			f := e.ExecAsync(background, "noop")
			returned, called := make(chan struct{}), make(chan struct{})
			overlay.All(f).OnDone(func([]sql.Result, error) { <-returned })
			f.OnDone(func(sql.Result, error) { close(called) })
			go func() {
				defer close(returned)
				stop(e, f)
			}()
			within(t, "the stop", returned)
			within(t, "the callback", called)
			release()
			noError(t, e.Shutdown(atMost(t, patience)))
		})
	}
}
