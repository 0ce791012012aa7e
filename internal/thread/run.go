package thread

import (
	"context"
	"sync/atomic"
)

// Run runs fn on the thread and waits for it to return.
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
	t.Release()
	if p, ok := err.(*PanicError); ok {
		p.raise()
	}
	return err
}

// Submit hands fn to the worker without waiting for it, and calls done, which may be
// nil, on the thread when fn has returned.
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
	return w.submit(fn, done)
}

// SubmitAnyway is Submit for a caller who submits one function at a time and must
// not be refused: the bound of the queue does not count for it.
func (w *Worker) SubmitAnyway(fn func(), done func(error)) error {
	if w.closed.Load() || w.core.quit.Load() {
		return ErrAlreadyQuit
	}
	w.core.room.sent.Add(1)
	return w.submit(fn, done)
}

func (w *Worker) submit(fn func(), done func(error)) error {
	c := w.core
	t := w.NewTask(Func(fn))
	t.done = done
	c.giveWay(t)
	if !c.send(t) {
		t.Release()
		return ErrAlreadyQuit
	}
	return nil
}

// Watch waits actively for ready, which something on w's thread is expected to make
// true, for as long as a hop would. It reports whether ready came true. If w may not be
// waited for actively now, it reports false at once. It gives up when stop is closed.
// ready runs often, in the calling goroutine, and must be quick.
func (w *Worker) Watch(ready func() bool, stop <-chan struct{}) bool {
	c := w.core
	woken := !c.busy.Load() && !crowded()
	return ready() || c.heat.waitActively(&never, ready, stop, woken, false)
}

// never stands for the state of a task that is never over.
var never atomic.Uint32
