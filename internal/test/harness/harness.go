// Package harness runs the tests against models, and waits for what must come.
package harness

import (
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/threadpin"
)

// Patience is when a test gives up waiting for what must come.
const Patience = 20 * time.Second

// TB is what testing.T, rapid.T and the models have in common.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Check is rapid.Check with another default for -rapid.checks, spread over tests that run side
// by side since they wait most of the time, and without files for failures. property adds the
// steps it has made.
func Check(t *testing.T, checks int, property func(*rapid.T, *atomic.Int64)) {
	t.Helper()
	const sideBySide = 4
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	set := func(name, value string) {
		f := flag.Lookup(name)
		old := f.Value.String()
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Value.Set(old) })
	}
	if given {
		checks, _ = strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	} else if testing.Short() {
		checks /= 20
	}
	set("rapid.nofailfile", "true")
	set("rapid.shrinktime", "5s")
	set("rapid.checks", fmt.Sprint((checks+sideBySide-1)/sideBySide))
	var steps atomic.Int64
	start := time.Now()
	t.Run("runs", func(t *testing.T) {
		for i := range sideBySide {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(rt *rapid.T) { property(rt, &steps) })
			})
		}
	})
	t.Logf("%d steps in %v", steps.Load(), time.Since(start).Round(time.Millisecond))
}

// Until waits for cond.
func Until(t TB, what string, cond func() bool) {
	t.Helper()
	for start, n := time.Now(), 0; !cond(); n++ {
		if time.Since(start) > Patience {
			t.Fatalf("waited in vain: %s\n%s", what, Stacks())
		}
		if n < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// Go runs fn in a goroutine. The result waits for its return.
func Go[T any](t TB, what string, fn func() T) (wait func() T) {
	done := make(chan T, 1)
	go func() { done <- fn() }()
	return func() T {
		t.Helper()
		select {
		case v := <-done:
			return v
		case <-time.After(Patience):
			t.Fatalf("does not return: %s\n%s", what, Stacks())
			panic("unreachable")
		}
	}
}

// Occupy keeps a worker's thread busy until the returned function is called, so that calls queue.
func Occupy(t TB, w *threadpin.Worker) (release func()) {
	t.Helper()
	started, free := make(chan struct{}), make(chan struct{})
	if err := w.Submit(func() { close(started); <-free }, nil); err != nil {
		t.Fatalf("Submit: %v", err)
	}
	<-started
	return func() { close(free) }
}

// Stacks returns all goroutines.
func Stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
}
