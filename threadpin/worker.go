package threadpin

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// A Worker runs functions, one at a time and in the order they arrive, on one
// OS thread that runs nothing else. All methods are safe for concurrent use.
// There is no useful zero value: use Start.
type Worker thread.Worker

func (w *Worker) inner() *thread.Worker { return (*thread.Worker)(w) }

// Start starts a worker, which costs 75-140 µs. It fails with what OnStart
// returned, or with ErrTooManyThreads.
func Start(opts ...Option) (*Worker, error) {
	w, err := thread.Start(opts...)
	return (*Worker)(w), err
}

// Run runs fn on the worker's thread and waits for it to return. It costs one
// hop. It returns ErrAlreadyQuit after Quit, and ctx.Err() if ctx ends before
// fn starts, which then never runs; once started, fn is always waited for.
// A panic in fn is raised again in the caller, with fn's value; ErrGoexit is
// returned if fn ended its goroutine. On the worker's own thread fn runs inline.
func (w *Worker) Run(ctx context.Context, fn func()) error { return w.inner().Run(ctx, fn) }

// Do is Run for a function with a result. The error is fn's own, or Run's.
func Do[T any](ctx context.Context, w *Worker, fn func() (T, error)) (T, error) {
	var result T
	var failed error
	err := w.Run(ctx, func() { result, failed = fn() })
	if err != nil {
		var zero T
		return zero, err
	}
	return result, failed
}

// Submit hands fn to the worker without waiting, and calls done, which may be
// nil, on the worker's thread when fn has returned: with nil, a *PanicError,
// ErrGoexit, or ErrAlreadyQuit if the worker went before fn could start. done
// must not block. Submit fails with ErrQueueFull or ErrAlreadyQuit; neither
// function is called then. On the worker's own thread fn does not
// run inline but is queued behind the calls that wait.
func (w *Worker) Submit(fn func(), done func(error)) error { return w.inner().Submit(fn, done) }

// Quit refuses later calls, waits until those that are queued have run, and
// ends the thread. When called again, or after a Goexit has ended the thread,
// it returns ErrAlreadyQuit, as soon as the thread has ended. On the worker's
// own thread it returns at once, and the thread ends after the calls in the
// queue.
func (w *Worker) Quit() error { return w.inner().Quit() }

// OnThread reports whether the calling goroutine is the worker's own, that is,
// whether a call would run inline. A callback from C made during a call is on it.
func (w *Worker) OnThread() bool { return w.inner().OnThread() }

// ThreadID returns the operating system's id of the thread: gettid on Linux,
// GetCurrentThreadId on Windows. Elsewhere it is the worker's goroutine id.
func (w *Worker) ThreadID() int { return w.inner().ThreadID() }

// CurrentThreadID returns the id of the thread that the calling goroutine is on,
// as ThreadID does for a worker's. Unless the goroutine is locked to its
// thread, the answer may be out of date when it arrives.
func CurrentThreadID() int { return thread.ID() }

// Stats describes a worker's work so far.
type Stats struct {
	Queued  int           // calls that wait for the thread
	Run     int64         // calls that have run, each one hop; inline calls don't count
	Waiting time.Duration // what they waited for the thread, in sum
	Running time.Duration // what they ran, in sum
}

// Stats returns the worker's counters. It costs a few atomic loads.
func (w *Worker) Stats() (s Stats) {
	s.Queued = w.inner().Queued()
	s.Run, s.Waiting, s.Running = w.inner().Counters()
	return s
}
