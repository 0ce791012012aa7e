package threadpin_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

var background = context.Background()

func start(t testing.TB, opts ...threadpin.Option) *threadpin.Worker {
	t.Helper()
	w, err := threadpin.Start(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Quit() })
	return w
}

func run(t testing.TB, w *threadpin.Worker, fn func()) {
	t.Helper()
	if err := w.Run(background, fn); err != nil {
		t.Fatal(err)
	}
}

// block occupies the worker until the returned function is called. It returns
// when the worker is occupied.
func block(t testing.TB, w *threadpin.Worker) (release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	if err := w.Submit(func() { close(started); <-gate }, nil); err != nil {
		t.Fatal(err)
	}
	<-started
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return release
}

func untilQueued(w *threadpin.Worker, n int) {
	for w.Stats().Queued < n {
		time.Sleep(50 * time.Microsecond)
	}
}

func untilRefused(w *threadpin.Worker) {
	for w.Submit(func() {}, nil) != threadpin.ErrAlreadyQuit {
		time.Sleep(50 * time.Microsecond)
	}
}

func TestEveryCallRunsOnTheOneThread(t *testing.T) {
	w, other := start(t), start(t)
	if w.OnThread() || w.ThreadID() == other.ThreadID() {
		t.Fatal("two workers share a thread, or the test runs on one")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 200 {
				w.Run(background, func() {
					if !w.OnThread() || other.OnThread() {
						t.Error("call is not on its worker's thread")
					}
				})
			}
		}()
	}
	wg.Wait()
}

func TestCallsRunInTheOrderTheyArrive(t *testing.T) {
	w := start(t)
	release := block(t, w)
	var got []int
	for i := range 100 {
		if err := w.Submit(func() { got = append(got, i) }, nil); err != nil {
			t.Fatal(err)
		}
	}
	release()
	run(t, w, func() {})
	for i, v := range got {
		if v != i {
			t.Fatalf("call %d ran in place %d", v, i)
		}
	}
	if len(got) != 100 {
		t.Fatalf("%d of 100 calls ran", len(got))
	}
}

func TestDoReturnsTheResultAndTheError(t *testing.T) {
	w := start(t)
	boom := errors.New("boom")
	if v, err := threadpin.Do(background, w, func() (int, error) { return 7, boom }); v != 7 || err != boom {
		t.Fatal(v, err)
	}
	w.Quit()
	if v, err := threadpin.Do(background, w, func() (int, error) { return 7, nil }); v != 0 || err != threadpin.ErrAlreadyQuit {
		t.Fatal(v, err)
	}
}

func TestACallWhoseContextEndsBeforeItStartsNeverRuns(t *testing.T) {
	w := start(t)
	release := block(t, w)
	ctx, cancel := context.WithCancel(background)
	result := make(chan error)
	go func() { result <- w.Run(ctx, func() { t.Error("withdrawn call ran") }) }()
	untilQueued(w, 1)
	cancel()
	if err := <-result; err != context.Canceled {
		t.Fatal(err)
	}
	release()
	run(t, w, func() {})

	if err := w.Run(ctx, func() { t.Error("call with an ended context ran") }); err != context.Canceled {
		t.Fatal(err)
	}
}

func TestACallThatHasStartedIsWaitedFor(t *testing.T) {
	w := start(t)
	ctx, cancel := context.WithCancel(background)
	finished := false
	err := w.Run(ctx, func() {
		cancel()
		time.Sleep(5 * time.Millisecond)
		finished = true
	})
	if err != nil || !finished {
		t.Fatal(err, finished)
	}
}

func TestAFullQueueIsWaitedForRespectingTheContext(t *testing.T) {
	w := start(t, threadpin.WithQueue(2))
	release := block(t, w)
	for range 2 {
		if err := w.Submit(func() {}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Submit(func() {}, nil); err != threadpin.ErrQueueFull {
		t.Fatalf("third call of a queue of two: %v", err)
	}
	ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
	defer cancel()
	if err := w.Run(ctx, func() { t.Error("ran") }); err != context.DeadlineExceeded {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(background, func() {}) }()
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestACallFromTheThreadRunsInline(t *testing.T) {
	w := start(t)
	before := w.Stats().Run
	run(t, w, func() {
		inner := false
		run(t, w, func() { inner = w.OnThread() })
		if !inner {
			t.Error("the inner call did not run inline")
		}
	})
	if n := w.Stats().Run - before; n != 1 {
		t.Fatalf("%d hops for one call with inline ones", n)
	}
}

func TestAPanicArrivesInTheCallerWithItsValue(t *testing.T) {
	w := start(t)
	type custom struct{ n int }
	for _, value := range []any{"text", errors.New("error"), &custom{3}} {
		func() {
			defer func() {
				if v := recover(); v != value {
					t.Errorf("recovered %v, want %v", v, value)
				}
			}()
			w.Run(background, func() { panic(value) })
		}()
	}
	run(t, w, func() {}) // the worker has survived

	errs := make(chan error, 1)
	w.Submit(func() { panic(os.ErrClosed) }, func(err error) { errs <- err })
	err := <-errs
	var p *threadpin.PanicError
	if !errors.As(err, &p) || !errors.Is(err, os.ErrClosed) || !strings.Contains(string(p.Stack), "worker_test.go") {
		t.Fatalf("Submit reported %v", err)
	}
}

func TestGoexitEndsTheWorkerAndIsAnErrorToEverybody(t *testing.T) {
	stopped := false
	w := start(t, threadpin.WithOnStop(func() { stopped = true }))
	release := block(t, w)
	first, second := make(chan error), make(chan error)
	go func() { first <- w.Run(background, runtime.Goexit) }()
	untilQueued(w, 1)
	go func() { second <- w.Run(background, func() { t.Error("ran on a dead worker") }) }()
	untilQueued(w, 2)
	release()
	if err := <-first; err != threadpin.ErrGoexit {
		t.Error(err)
	}
	if err := <-second; err != threadpin.ErrAlreadyQuit {
		t.Error(err)
	}
	if err := w.Run(background, func() {}); err != threadpin.ErrAlreadyQuit {
		t.Error(err)
	}
	if err := w.Quit(); err != threadpin.ErrAlreadyQuit {
		t.Error(err)
	}
	if !stopped {
		t.Error("OnStop did not run")
	}
}

func TestQuitRunsWhatIsQueued(t *testing.T) {
	w := start(t)
	release := block(t, w)
	ran := 0
	for range 10 {
		w.Submit(func() { ran++ }, nil)
	}
	quit := make(chan error)
	go func() { quit <- w.Quit() }()
	untilRefused(w)
	release()
	if err := <-quit; err != nil || ran != 10 {
		t.Fatal(err, ran)
	}
	if err := w.Quit(); err != threadpin.ErrAlreadyQuit {
		t.Fatal(err)
	}
}

func TestQuitFromTheThreadReturns(t *testing.T) {
	w := start(t)
	run(t, w, func() {
		if err := w.Quit(); err != nil {
			t.Error(err)
		}
	})
	if err := w.Run(background, func() {}); err != threadpin.ErrAlreadyQuit {
		t.Fatal(err)
	}
}

func TestQuitReleasesThoseWhoWaitForRoom(t *testing.T) {
	w := start(t, threadpin.WithQueue(1))
	release := block(t, w)
	w.Submit(func() {}, nil)
	errs := make(chan error)
	go func() { errs <- w.Run(background, func() {}) }()
	go w.Quit()
	untilRefused(w)
	if err := <-errs; err != threadpin.ErrAlreadyQuit {
		t.Fatal(err)
	}
	release()
}

func TestOnStartAndOnStopRunOnTheThread(t *testing.T) {
	var ids []int
	id := func() { ids = append(ids, threadpin.CurrentThreadID()) }
	w := start(t,
		threadpin.WithOnStart(func() error { id(); return nil }), threadpin.WithOnStop(id),
		threadpin.WithOnStart(func() error { id(); return nil }), threadpin.WithOnStop(id))
	w.Quit()
	want := w.ThreadID()
	if len(ids) != 4 || ids[0] != want || ids[1] != want || ids[2] != want || ids[3] != want {
		t.Fatalf("hooks ran on %v, want four times %d", ids, want)
	}
}

func TestAFailingOnStartFailsStart(t *testing.T) {
	boom := errors.New("boom")
	stopped := false
	_, err := threadpin.Start(
		threadpin.WithOnStart(func() error { return boom }),
		threadpin.WithOnStop(func() { stopped = true }))
	if err != boom || stopped {
		t.Fatal(err, stopped)
	}
	if _, err := threadpin.Start(threadpin.WithOnStart(func() error { runtime.Goexit(); return nil })); err != threadpin.ErrGoexit {
		t.Fatal(err)
	}
	defer func() {
		if recover() != "boom" {
			t.Error("a panic in OnStart did not arrive")
		}
	}()
	threadpin.Start(threadpin.WithOnStart(func() error { panic("boom") }))
}

func TestTheCapOnThreadsIsAnError(t *testing.T) {
	first := start(t)
	_, err := threadpin.Start(threadpin.WithMaxThreads(1))
	if !errors.Is(err, threadpin.ErrTooManyThreads) || !strings.Contains(err.Error(), "allows 1") {
		t.Fatal(err)
	}
	first.Quit()
	start(t, threadpin.WithMaxThreads(1))
}

func TestStatsCountCallsAndTheirTime(t *testing.T) {
	w := start(t)
	for range 3 {
		run(t, w, func() { time.Sleep(time.Millisecond) })
	}
	release := block(t, w)
	w.Submit(func() {}, nil)
	if s := w.Stats(); s.Queued != 1 || s.Run != 3 || s.Running < 3*time.Millisecond {
		t.Fatalf("%+v", s)
	}
	release()
	run(t, w, func() {})
	if s := w.Stats(); s.Queued != 0 || s.Run != 6 || s.Waiting <= 0 {
		t.Fatalf("%+v", s)
	}
}

func TestEverySpinSettingWorks(t *testing.T) {
	for _, spin := range []time.Duration{0, time.Microsecond, time.Millisecond} {
		w := start(t, threadpin.WithSpin(spin))
		n := 0
		for range 300 {
			run(t, w, func() { n++ })
		}
		if n != 300 {
			t.Fatalf("spin %v: %d calls of 300 ran", spin, n)
		}
	}
}

func TestOneProcessorIsEnough(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := start(t)
	n := 0
	for range 300 {
		run(t, w, func() { n++ })
	}
	if n != 300 {
		t.Fatalf("%d calls of 300 ran", n)
	}
}
