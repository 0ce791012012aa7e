package threadpin

import (
	"context"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// A Worker runs functions, one at a time and in the order they arrive, on one
// OS thread that runs nothing else. All methods are safe for concurrent use.
// The zero value is of no use: call Start.
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
// returned if fn called runtime.Goexit. On the worker's own thread fn runs inline.
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

// Submit hands fn to the worker without waiting for it, and calls done, which may be
// nil, on the worker's thread when fn has returned: with nil, a *PanicError,
// ErrGoexit, or ErrAlreadyQuit if the worker went before fn could start. done
// must not block. If Submit fails, with ErrQueueFull or ErrAlreadyQuit, neither
// function is called. On the worker's own thread too, fn does not run inline: it is
// queued after the calls that wait.
func (w *Worker) Submit(fn func(), done func(error)) error { return w.inner().Submit(fn, done) }

// Quit refuses later calls, waits until the queued ones have run, and ends the
// thread. A second Quit, or one after a Goexit, waits for the thread's end and
// returns ErrAlreadyQuit. On the worker's own thread Quit returns at once, and the
// thread ends after the queued calls.
func (w *Worker) Quit() error { return w.inner().Quit() }

// OnThread reports whether the caller is on the worker's thread, so that a call
// would run inline. That includes callbacks that C makes during a call.
func (w *Worker) OnThread() bool { return w.inner().OnThread() }

// ThreadID returns the operating system's id of the thread: gettid on Linux,
// GetCurrentThreadId on Windows. Elsewhere it is the worker's goroutine id.
func (w *Worker) ThreadID() int { return w.inner().ThreadID() }

// CurrentThreadID returns the id of the thread that the calling goroutine is on,
// of the same kind as ThreadID. Unless the goroutine is locked to its thread, it
// may have moved to another one by the time the answer arrives.
func CurrentThreadID() int { return thread.ID() }

// Stats describes a worker's work so far.
type Stats struct {
	Queued  int           // calls that wait for the thread
	Run     int64         // calls that have run, each one hop; inline calls don't count
	Waiting time.Duration // how long they waited for the thread, in sum
	Running time.Duration // how long they ran, in sum
}

// Stats returns the worker's counters. It costs a few atomic loads.
func (w *Worker) Stats() (s Stats) {
	s.Queued = w.inner().Queued()
	s.Run, s.Waiting, s.Running = w.inner().Counters()
	return s
}
