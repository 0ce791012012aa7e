package threadpin

import (
	"context"
	"sync/atomic"
)

// Run runs fn on the worker's thread and waits for it to return. It costs one
// hop. It returns ErrAlreadyQuit after Quit, and ctx.Err() if ctx ends before
// fn starts, which then never runs; once started, fn is always waited for.
// A panic in fn is raised again in the caller, with fn's value; ErrGoexit is
// returned if fn ended its goroutine. On the worker's own thread fn runs inline.
func (w *Worker) Run(ctx context.Context, fn func()) error {
	t := w.NewTask(Func(fn))
	if err := t.Begin(ctx); err != nil {
		t.Release()
		return err
	}
	if err := t.Await(ctx); err != nil {
		return err
	}
	return t.End()
}

// End returns the error of a task that is over, and releases it. A panic is
// raised again.
func (t *Task) End() error {
	err := t.err
	t.free()
	if p, ok := err.(*PanicError); ok {
		p.raise()
	}
	return err
}

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
func (w *Worker) Submit(fn func(), done func(error)) error {
	c := w.core
	if w.closed.Load() || c.quit.Load() {
		return ErrAlreadyQuit
	}
	if !c.room.tryEnter() {
		return ErrQueueFull
	}
	if done == nil {
		done = func(error) {}
	}
	t := w.NewTask(Func(fn))
	t.done = done
	if !c.send(t) {
		t.free()
		return ErrAlreadyQuit
	}
	return nil
}

// Watch waits actively for ready, which something on w's thread is expected to
// make true, for as long as a hop would; it reports whether it did. At once it
// reports false if w may not be waited for actively now, and it gives up
// when stop is closed. ready runs in the calling goroutine, often, and must be quick.
func (w *Worker) Watch(ready func() bool, stop <-chan struct{}) bool {
	return ready() || w.core.heat.waitActively(&never, ready, stop)
}

// never is the state of no task.
var never atomic.Uint32
