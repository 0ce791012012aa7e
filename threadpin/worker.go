package threadpin

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A Worker runs functions, one at a time and in the order they arrive, on one
// OS thread that runs nothing else. All methods are safe for concurrent use.
// There is no useful zero value: use Start.
type Worker struct {
	core   *core
	branch bool
	closed atomic.Bool
}

// live counts the workers whose threads have not ended.
var live atomic.Int64

// threads holds the ids of their threads.
var threads sync.Map

// enlist counts one more worker, if there may be. One that is refused is never
// counted, or it would take the place of another.
func enlist(most int64) error {
	for {
		n := live.Load()
		if n >= most {
			return fmt.Errorf("threadpin: %w: %d are running, and WithMaxThreads allows %d",
				ErrTooManyThreads, n, most)
		}
		if live.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Start starts a worker, which costs 75-140 µs. It fails with what OnStart
// returned, or with ErrTooManyThreads.
func Start(opts ...Option) (*Worker, error) {
	cfg := newConfig(opts)
	if err := enlist(int64(cfg.maxThreads)); err != nil {
		return nil, err
	}
	c := &core{
		room:     room{places: int64(cfg.queue)},
		heat:     heat{spin: cfg.spin},
		park:     newParker(),
		adapt:    cfg.adapt,
		quitting: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	started := make(chan error, 1)
	go c.main(cfg, started)
	if err := <-started; err != nil {
		<-c.ended
		if p, ok := err.(*PanicError); ok {
			p.raise()
		}
		return nil, err
	}
	return &Worker{core: c}, nil
}

// Branch returns a worker that shares w's thread. Quitting the branch leaves
// the thread running; when w quits, its branches have quit too.
func (w *Worker) Branch() *Worker { return &Worker{core: w.core, branch: true} }

// Quit refuses later calls, waits until those that are queued have run, and
// ends the thread; on a branch it only refuses later calls. When called again,
// or after a Goexit has ended the thread, it returns ErrAlreadyQuit, as soon as
// the thread has ended. On the worker's own thread it returns at
// once, and the thread ends after the calls in the queue.
func (w *Worker) Quit() error {
	c := w.core
	again := !w.closed.CompareAndSwap(false, true)
	if w.branch {
		if again || c.quit.Load() {
			return ErrAlreadyQuit
		}
		return nil
	}
	if c.quit.CompareAndSwap(false, true) {
		close(c.quitting)
		// A parked worker has to be told. An empty task does that; if it is
		// refused, the worker has seen the flag by itself.
		c.send(w.nothing())
	} else {
		again = true
	}
	if !w.OnThread() {
		<-c.ended
	}
	if again {
		return ErrAlreadyQuit
	}
	return nil
}

// OnThread reports whether the calling goroutine is the worker's own, that is,
// whether a call would run inline. A callback from C made during a call is on it.
func (w *Worker) OnThread() bool {
	return w.core.busy.Load() && threadID() == w.core.threadID
}

// OnOtherThread reports whether the calling goroutine is that of another worker: a
// call would have one worker wait for another. With no other worker in the process it
// costs next to nothing, otherwise some 0.1 µs.
func (w *Worker) OnOtherThread() bool {
	if live.Load() < 2 {
		return false
	}
	id := threadID()
	_, ok := threads.Load(id)
	return ok && id != w.core.threadID
}

// ThreadID returns the operating system's id of the thread: gettid on Linux,
// GetCurrentThreadId on Windows. Elsewhere it is the worker's goroutine id.
func (w *Worker) ThreadID() int { return w.core.threadID }

// Quitting returns a channel that is closed when the worker refuses calls.
func (w *Worker) Quitting() <-chan struct{} { return w.core.quitting }

// CurrentThreadID returns the id of the thread that the calling goroutine is on,
// as ThreadID does for a worker's. Unless the goroutine is locked to its
// thread, the answer may be out of date when it arrives.
func CurrentThreadID() int { return threadID() }
