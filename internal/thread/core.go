package thread

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/goid"
)

// core is the thread and the queue in front of it. A worker and its branches share one.
type core struct {
	inbox inbox
	busy  atomic.Bool // written by the worker: a function is running

	_    line
	room room
	_    line
	heat heat
	park parker

	adapt    bool
	bubble   bool           // it was started in a bubble of testing/synctest
	threadID int            // set before Start returns
	runsOn   atomic.Uintptr // the worker's goroutine as goid tells it; 0 when it has ended
	quitting chan struct{}  // closed by the first Quit, or by a Goexit
	quit     atomic.Bool    // set before quitting is closed
	ended    chan struct{}  // closed when the thread is about to end

	_ line
	// The worker's.
	rest  *Task // taken from the inbox and not yet run
	tried bool  // it slept in the kernel to see how long it would wait
	turn  bool  // it slept in the kernel until its turn for a permit

	_        line
	returned atomic.Int64 // when a caller that had slept had its answer; callers write it
	computed atomic.Int64 // how long they have computed between calls since one gave way; likewise

	_ line
	// Written by the worker only.
	runs, waited, ran atomic.Int64 // counters
	idleSince         atomic.Int64 // when the last task before a sleep had ended
}

// main is the worker's goroutine. It never unlocks its thread, so the thread ends
// with it, and so does all state that was set on the thread.
func (c *core) main(cfg Config, started chan<- error) {
	runtime.LockOSThread()
	if onMainThread() {
		// The main thread cannot end, and its name is the name of the process.
		// While this goroutine holds it, the next one gets another thread.
		again := make(chan error, 1)
		go c.main(cfg, again)
		started <- <-again
		runtime.UnlockOSThread()
		return
	}
	defer close(c.ended)
	defer live.Add(-1)
	setThreadName(cfg.Name)
	c.threadID = ID()
	g := goid.Get()
	c.runsOn.Store(g)
	defer c.runsOn.Store(0) // another goroutine may be told by the same number later
	workers.Store(g, struct{}{})
	defer workers.Delete(g)
	var err error
	p := c.protect(Func(func() { err = cfg.start() }), func() { started <- ErrGoexit })
	if p != nil {
		err = p
	}
	if err != nil {
		started <- err
		return
	}
	defer c.stop(cfg)
	started <- nil
	c.loop()
}

// loop runs tasks until the worker quits.
func (c *core) loop() {
	last := now() // when the last task ended
	c.heat.near.Store(true)
	for {
		if c.inbox.head.Load() == nil && !c.waitActively(last) && !c.sleep(last) {
			return
		}
		for c.rest = c.inbox.take(); c.rest != nil; {
			t := c.rest
			c.rest = t.next
			if t.queuedAt > last { // the worker was not waiting actively for it
				gap := t.queuedAt - max(last, c.returned.Load())
				c.heat.noteGap(time.Duration(gap), c.adapt)
				if took := time.Duration(now() - t.sentAt); t.woke == inKernel {
					if c.turn {
						noteTurn(took)
					} else {
						noteWake(took, c.tried)
					}
				}
			}
			start := now()
			last = c.run(t, start)
			set(&c.heat.long, c.adapt && last-start > int64(c.heat.spin))
		}
	}
}

// sleep waits for a task without a processor. It reports false when the worker is to
// end.
func (c *core) sleep(last int64) bool {
	c.heat.cool()
	c.idleSince.Store(last)
	countProcessors()
	how := inChannel
	c.turn = hasKernelParker && c.heat.outOfTurn.Swap(false)
	switch {
	case c.turn:
		how = inKernel
	case !c.bubble:
		how, c.tried = chooseWay()
	}
	mark := parked[how]
	if c.quit.Load() {
		mark = gone
	}
	if !c.inbox.head.CompareAndSwap(nil, mark) {
		return true
	}
	if mark == gone {
		return false
	}
	c.heat.cool() // again: a caller who saw no mark may have made it hot since
	for c.inbox.head.Load() == mark {
		if c.quit.Load() { // perhaps since before the mark was there to be seen
			c.inbox.head.CompareAndSwap(mark, nil)
			continue
		}
		c.park.sleep(how, &c.inbox.head, mark)
	}
	return true
}

// run runs one task, beginning now. It returns when it ended.
func (c *core) run(t *Task, start int64) int64 {
	c.room.leave()
	if !t.claim.CompareAndSwap(0, taken) {
		t.Release()
		return now()
	}
	c.busy.Store(true)
	p := c.protect(t.job, func() {
		c.busy.Store(false)
		t.finish(ErrGoexit)
	})
	c.busy.Store(false)
	c.runs.Store(c.runs.Load() + 1)
	waited := time.Duration(0)
	if t.queuedAt != 0 {
		waited = time.Duration(start - t.queuedAt)
	}
	var err error
	if p != nil {
		err = p
	}
	t.finish(err)
	end := now() // after finish, where it costs the caller nothing
	c.waited.Store(c.waited.Load() + int64(waited))
	c.ran.Store(c.ran.Load() + end - start)
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
func (c *core) stop(cfg Config) {
	if c.quit.CompareAndSwap(false, true) {
		close(c.quitting)
	}
	c.refuse(c.rest)
	if t := c.inbox.head.Swap(gone); t != gone {
		c.refuse(t)
	}
	c.heat.retire()    // after the last callers were told: one may still have waited actively
	c.busy.Store(true) // Quit, called there, must not wait for its own end
	c.protect(Func(cfg.stop), func() {})
}

func (c *core) refuse(t *Task) {
	for t != nil {
		next := t.next
		c.room.leave()
		if t.claim.CompareAndSwap(0, taken) {
			t.finish(ErrAlreadyQuit)
		}
		t = next
	}
}

// A caller and a worker that sleep in channels hand one processor to each other. The
// runtime preempts whom it has seen in the same turn for 10 ms, and it counts a thread of its
// own as another turn: callers who compute up to 20 ms between calls are not preempted. Those who wait for the processor would wait for
// ever, or for 61 such turns. So a caller gives it up after it has computed as long
// as the runtime would let it.
const share = 10 * time.Millisecond

// giveWay lets others run if the caller's share is over and it is about to wake a worker
// that sleeps in a channel. It reports whether it did.
func (c *core) giveWay(t *Task) bool {
	if sleeper(c.inbox.head.Load()) != inChannel {
		return false
	}
	here := now()
	if !c.shareOver(here - max(c.returned.Load(), c.idleSince.Load())) {
		return false
	}
	if t.queuedAt == 0 {
		t.queuedAt = here
	}
	runtime.Gosched()
	return true
}

// shareOver reports whether a caller is to give way, after a pause since the last call. What
// a call takes does not count: its caller sleeps. A pause of more than two shares is no
// computing: either the caller has slept, or it was preempted.
func (c *core) shareOver(pause int64) bool {
	computed := int64(0)
	if pause <= int64(2*share) {
		computed = pause + c.computed.Load()
	}
	over := computed > int64(share)
	if over {
		computed = 0
	}
	c.computed.Store(computed)
	return over
}

// send pushes a task that has a place in the queue.
func (c *core) send(t *Task) bool {
	head := c.inbox.head.Load()
	if head != nil || c.busy.Load() { // otherwise the worker is waiting for it actively
		t.sentAt = now()
		if t.queuedAt == 0 {
			t.queuedAt = t.sentAt
		}
	}
	switch how, old := c.inbox.push(t); {
	case old == gone:
		c.room.sent.Add(-1)
		return false
	case how != awake:
		c.park.wake(how)
	}
	return true
}
