package threadpin

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// A Worker runs functions, one at a time and in the order they arrive, on one
// OS thread that runs nothing else. All methods are safe for concurrent use.
// There is no useful zero value: use Start.
type Worker struct {
	core   *core
	branch bool
	closed atomic.Bool
}

// core is the thread and what leads to it; its branches share it.
type core struct {
	inbox inbox
	busy  atomic.Bool // written by the worker: a function is running

	_    line
	room room
	_    line
	heat heat
	park parker

	adapt    bool
	threadID int           // set before Start returns
	quitting chan struct{} // closed by the first Quit, or by a Goexit
	quit     atomic.Bool   // set before quitting is closed
	ended    chan struct{} // closed when the thread is about to end

	_    line
	rest *Task // the worker's: taken from the inbox and not yet run

	// Counters, written by the worker only.
	runs, waited, ran atomic.Int64
}

// live counts the workers whose threads have not ended.
var live atomic.Int64

// Start starts a worker, which costs 75-140 µs. It fails with what OnStart
// returned, or with ErrTooManyThreads.
func Start(opts ...Option) (*Worker, error) {
	cfg := newConfig(opts)
	if n := live.Add(1); n > int64(cfg.maxThreads) {
		live.Add(-1)
		return nil, fmt.Errorf("threadpin: %w: %d are running, and WithMaxThreads allows %d",
			ErrTooManyThreads, n-1, cfg.maxThreads)
	}
	c := &core{
		room:     room{places: int64(cfg.queue)},
		heat:     heat{spin: cfg.spin},
		adapt:    cfg.adapt,
		quitting: make(chan struct{}),
		ended:    make(chan struct{}),
	}
	c.park.init()
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

// main is the worker's goroutine. It never unlocks its thread, so the thread
// ends with it and takes along whatever state was set on it.
func (c *core) main(cfg config, started chan<- error) {
	runtime.LockOSThread()
	if onMainThread() {
		// The main thread cannot end, and its name is the process's. While
		// it is locked here, the next goroutine gets another.
		again := make(chan error, 1)
		go c.main(cfg, again)
		started <- <-again
		runtime.UnlockOSThread()
		return
	}
	defer close(c.ended)
	defer live.Add(-1)
	setThreadName(cfg.name)
	c.threadID = threadID()
	if cfg.onStart != nil {
		var err error
		p := c.protect(Func(func() { err = cfg.onStart() }), func() { started <- ErrGoexit })
		if p != nil {
			err = p
		}
		if err != nil {
			started <- err
			return
		}
	}
	defer c.stop(cfg.onStop)
	started <- nil
	c.loop()
}

// loop runs tasks until the worker quits.
func (c *core) loop() {
	last := now() // when the last task ended
	near := true  // the last tasks came within the time of an active wait
	for {
		if c.inbox.head.Load() == nil && !c.await(last, near) {
			return
		}
		for c.rest = c.inbox.take(); c.rest != nil; {
			t := c.rest
			c.rest = t.next
			if t.queuedAt > last {
				near = !c.adapt || t.queuedAt-last <= int64(c.heat.spin)
			}
			last = c.run(t)
		}
	}
}

// await waits for a task. It reports false when the worker is to end.
func (c *core) await(last int64, near bool) bool {
	if near && c.heat.warm() {
		for now()-last <= int64(c.heat.spin) {
			for range 128 {
				if c.inbox.head.Load() != nil {
					return true
				}
			}
			if c.quit.Load() {
				break
			}
		}
	}
	c.heat.cool()
	countProcessors()
	mark := parked
	if c.quit.Load() {
		mark = gone
	}
	if !c.inbox.head.CompareAndSwap(nil, mark) {
		return true
	}
	if mark == gone {
		return false
	}
	for c.inbox.head.Load() == parked {
		c.park.sleep()
	}
	return true
}

// run runs one task and returns when it ended.
func (c *core) run(t *Task) int64 {
	c.room.leave()
	if !t.claim.CompareAndSwap(0, taken) {
		t.free()
		return now()
	}
	start := now()
	c.waited.Store(c.waited.Load() + start - t.queuedAt)
	c.busy.Store(true)
	p := c.protect(t.job, func() {
		c.busy.Store(false)
		t.finish(ErrGoexit)
	})
	c.busy.Store(false)
	end := now()
	c.ran.Store(c.ran.Load() + end - start)
	c.runs.Store(c.runs.Load() + 1)
	var err error
	if p != nil {
		err = p
	}
	t.finish(err)
	return end
}

// protect runs job. It returns its panic, and calls goexit, without returning,
// if job ends the goroutine.
func (c *core) protect(job Job, goexit func()) (p *PanicError) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p = &PanicError{Value: v, Stack: debug.Stack()}
			return
		}
		goexit()
	}()
	job.RunOnThread()
	returned = true
	return nil
}

// stop is the last thing on the thread, whether it ends by Quit or by Goexit.
func (c *core) stop(onStop func()) {
	if c.quit.CompareAndSwap(false, true) {
		close(c.quitting)
	}
	c.heat.cool()
	c.refuse(c.rest)
	if t := c.inbox.head.Swap(gone); t != gone {
		c.refuse(t)
	}
	if onStop != nil {
		c.protect(Func(onStop), func() {})
	}
}

func (c *core) refuse(t *Task) {
	for t != nil {
		next := t.next
		if t.claim.CompareAndSwap(0, taken) {
			t.finish(ErrAlreadyQuit)
		}
		t = next
	}
}

// Branch returns a worker that shares w's thread. Quitting the branch leaves
// the thread running; when w quits, its branches have quit too.
func (w *Worker) Branch() *Worker { return &Worker{core: w.core, branch: true} }

// Quit refuses later calls, waits until those that are queued have run, and
// ends the thread; on a branch it only refuses later calls. It returns
// ErrAlreadyQuit when called again. Called on the worker's own thread, it
// returns at once and the thread ends after the calls in the queue.
func (w *Worker) Quit() error {
	c := w.core
	if !w.closed.CompareAndSwap(false, true) {
		return ErrAlreadyQuit
	}
	if w.branch {
		if c.quit.Load() {
			return ErrAlreadyQuit
		}
		return nil
	}
	if !c.quit.CompareAndSwap(false, true) {
		return ErrAlreadyQuit
	}
	close(c.quitting)
	if w.OnThread() {
		return nil
	}
	// A parked worker has to be told. An empty task does that; if it is
	// refused, the worker has seen the flag by itself.
	if wake, ok := c.inbox.push(w.nothing()); ok && wake {
		c.park.wake()
	}
	<-c.ended
	return nil
}

// nothing is a task that does nothing. It takes no place in the queue, and
// gives none back.
func (w *Worker) nothing() *Task {
	t := w.NewTask(Func(func() {}))
	t.claim.Store(withdrawn)
	w.core.room.sent.Add(1)
	return t
}

// OnThread reports whether the calling goroutine is the worker's own, that is,
// whether a call would run inline. A callback from C made during a call is on it.
func (w *Worker) OnThread() bool {
	return w.core.busy.Load() && threadID() == w.core.threadID
}

// ThreadID returns the operating system's id of the thread: gettid on Linux,
// GetCurrentThreadId on Windows. Elsewhere it is the worker's goroutine id.
func (w *Worker) ThreadID() int { return w.core.threadID }

// Quitting returns a channel that is closed when the worker refuses calls.
func (w *Worker) Quitting() <-chan struct{} { return w.core.quitting }

// Stats describes a worker's work so far, its branches' included.
type Stats struct {
	Queued  int           // calls that wait for the thread
	Run     int64         // calls that have run, each one hop; inline calls don't count
	Waiting time.Duration // what they waited for the thread, in sum
	Running time.Duration // what they ran, in sum
}

// Stats returns the worker's counters. It costs a few atomic loads.
func (w *Worker) Stats() Stats {
	c := w.core
	return Stats{
		Queued:  c.room.waitingCalls(),
		Run:     c.runs.Load(),
		Waiting: time.Duration(c.waited.Load()),
		Running: time.Duration(c.ran.Load()),
	}
}

// send pushes a task that has a place in the queue.
func (c *core) send(t *Task) bool {
	t.queuedAt = now()
	wake, ok := c.inbox.push(t)
	if !ok {
		return false // for good: nobody needs the place
	}
	if wake {
		c.park.wake()
	}
	return true
}
