package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// pollEvery is how often a test looks at locks. MariaDB renews what it tells of them only if
// nobody has asked for a tenth of a second.
const pollEvery = 150 * time.Millisecond

// patience is how long a test waits for what must come.
var patience = 30 * time.Second

func init() {
	flag.DurationVar(&patience, "patience", patience, "how long a test waits for what must come")
}

var (
	background = context.Background()

	errEnded  = errors.New("the function's goroutine has ended")
	errOnFall = errors.New("the application's own error")
)

// stuck fails the test and prints all goroutines.
func stuck(t testing.TB, what string) {
	t.Helper()
	buf := make([]byte, 4<<20)
	t.Fatalf("not over after %v: %s\n%s", patience, what, buf[:runtime.Stack(buf, true)])
}

// within runs fn in a goroutine of its own and waits for its result.
func within(t testing.TB, what string, fn func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() { done <- err }()
		err = fn()
	}()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		stuck(t, what)
		return nil
	}
}

// until waits for cond.
func until(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); time.Sleep(time.Millisecond) {
		if time.Since(start) > patience {
			stuck(t, what)
		}
	}
}

// arrives waits for a channel to be closed.
func arrives(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		stuck(t, what)
	}
}

// outcome waits for a future, however its context has ended.
func outcome[T any](t testing.TB, what string, f *overlay.Future[T]) (T, error) {
	t.Helper()
	arrives(t, what, f.Done())
	v, err, _ := f.TryResult()
	return v, err
}

// must returns the value of a future that has to succeed.
func must[T any](t testing.TB, what string, f *overlay.Future[T]) T {
	t.Helper()
	v, err := outcome(t, what, f)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

func noError(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// errOf drops the value of a result.
func errOf[T any](_ T, err error) error { return err }

// bounded returns a context that ends a test which hangs.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(background, patience)
	t.Cleanup(cancel)
	return ctx
}

// hold keeps a target's thread busy until release is called, which waits for that.
func hold(t testing.TB, to overlay.Target) (release func()) {
	t.Helper()
	free, began := make(chan struct{}), make(chan struct{})
	busy := overlay.RunInThread(background, to, func(context.Context, *sql.Conn) (struct{}, error) {
		close(began)
		<-free
		return struct{}{}, nil
	})
	arrives(t, "the function", began)
	return func() {
		t.Helper()
		close(free)
		must(t, "the function", busy)
	}
}
