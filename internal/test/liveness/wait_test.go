package liveness_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// How long a call may take. The last two leave room for a machine that is busy
// with something else.
const (
	soon   = 2 * time.Second // for what is promised within about 100 ms
	atOnce = time.Second     // for what is promised without delay
)

// patience is when a call is said to hang.
var patience = 30 * time.Second

var (
	background = context.Background()

	errGone = errors.New("the goroutine has ended")
)

// stacks returns all goroutines.
func stacks() string {
	buf := make([]byte, 8<<20)
	return string(buf[:runtime.Stack(buf, true)])
}

// finishes waits for done, at most patience, and fails the test if that takes
// longer than limit.
func finishes(t testing.TB, limit time.Duration, what string, done <-chan struct{}) {
	t.Helper()
	start := time.Now()
	select {
	case <-done:
		return
	case <-time.After(limit):
	}
	late := stacks()
	select {
	case <-done:
		t.Errorf("%s: took %v, not %v", what, time.Since(start).Round(time.Millisecond), limit)
		t.Logf("goroutines after %v:\n%s", limit, late)
	case <-time.After(patience - min(limit, patience)):
		t.Fatalf("%s: hangs\n%s", what, stacks())
	}
}

// within runs fn in a goroutine of its own, which is what a hanging call
// blocks, and returns its error.
func within(t testing.TB, limit time.Duration, what string, fn func() error) error {
	t.Helper()
	_, err := result(t, limit, what, func() (struct{}, error) { return struct{}{}, fn() })
	return err
}

// result is within for a function with a result.
func result[T any](t testing.TB, limit time.Duration, what string, fn func() (T, error)) (T, error) {
	t.Helper()
	wait := start(fn)
	return wait(t, limit, what)
}

// start runs fn in a goroutine of its own. The function returned waits for it.
func start[T any](fn func() (T, error)) (wait func(t testing.TB, limit time.Duration, what string) (T, error)) {
	var v T
	err := errGone
	done := make(chan struct{})
	go func() {
		defer close(done)
		v, err = fn()
	}()
	return func(t testing.TB, limit time.Duration, what string) (T, error) {
		t.Helper()
		finishes(t, limit, what, done)
		return v, err
	}
}

// outcome waits for a future to complete, whatever its context does.
func outcome[T any](t testing.TB, limit time.Duration, what string, f *overlay.Future[T]) (T, error) {
	t.Helper()
	finishes(t, limit, what, f.Done())
	v, err, _ := f.TryResult()
	return v, err
}

// value returns the result of a call that has to succeed.
func value[T any](t testing.TB, what string, f *overlay.Future[T]) T {
	t.Helper()
	v, err := outcome(t, patience, what, f)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

// until waits for cond.
func until(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); time.Sleep(time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("not after %v: %s\n%s", limit, what, stacks())
		}
	}
}

func noError(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// wantError fails the test unless err wraps all of want.
func wantError(t testing.TB, what string, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("%s: the error is %v, which is not %q", what, err, w)
		}
	}
}

// bounded returns a context that ends with the test, so that what hangs in it
// can go, and with the test's patience.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(background, patience)
	t.Cleanup(cancel)
	return ctx
}

// brief returns a context that ends after d, or with the test.
func brief(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(background, d)
	t.Cleanup(cancel)
	return ctx
}

// gate returns a channel that open closes, or the test's end.
func gate(t testing.TB) (shut <-chan struct{}, open func()) {
	c := make(chan struct{})
	open = sync.OnceFunc(func() { close(c) })
	t.Cleanup(open)
	return c, open
}

// here returns the place of its caller, as errors and warnings name it.
func here() string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", path.Base(file), line)
}
