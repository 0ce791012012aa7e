package thread

import (
	"context"
	"sync"
	"sync/atomic"
)

// A Task is one call of a worker. Run is made of it. Use it directly to do other
// things while the job runs, to watch its progress, or to leave before it ends. The
// goroutine that made a Task owns it, until Release, End, Withdraw or Leave. It is
// begun once. Only Signal is for the job.
type Task struct {
	worker   *Worker
	job      Job
	done     func(error)   // for Submit: called on the thread at the end
	wake     chan struct{} // holds the one token that ends a sleep
	next     *Task         // the pusher's until pushed, then the worker's
	queuedAt int64         // when the call began to wait; 0 if the worker was waiting for it actively
	sentAt   int64         // when it was pushed, after its wait for a permit; likewise
	woke     way           // how the worker slept that the task has woken
	waited   bool          // the owner's: it has waited for a part of the call

	// claim decides whether the job runs. The worker replaces 0 with taken, the
	// owner with withdrawn; the first one decides.
	claim atomic.Uint32

	_ line // the owner polls what follows, and nothing else that the worker writes

	// state is a set of the bits below. Once over is set the worker does not touch
	// the task again, except to send the token that it owes to a sleeping owner.
	state atomic.Uint32
	err   error // the worker's until over is set, then the owner's

	_ line
}

const ( // claim
	taken = 1 + iota
	withdrawn
)

const ( // state
	over   = 1 << iota // set by the worker: the job has returned or been refused
	asleep             // set by the owner before it parks; cleared by whoever ends the sleep
	left               // set by the owner, who will not touch the task again
)

var tasks = sync.Pool{New: func() any { return newTask() }}

func newTask() *Task { return &Task{wake: make(chan struct{}, 1)} }

// A Job is what a task does. It is an interface, so that a caller can keep a call's
// arguments and results in the same object; a function would be a second one.
type Job interface {
	// RunOnThread is called on the worker's thread, once for each task.
	RunOnThread()
}

// Func is a function as a Job.
type Func func()

// RunOnThread calls f.
func (f Func) RunOnThread() { f() }

// NewTask returns a task that will run job on w's thread.
func (w *Worker) NewTask(job Job) *Task {
	t := w.core.task()
	t.worker, t.job = w, job
	return t
}

// task returns one that nobody uses.
func (c *core) task() *Task {
	if c.bubble {
		return newTask()
	}
	return tasks.Get().(*Task)
}

// Begin hands the task to the worker. It waits for room in the queue, until ctx ends,
// but not for the job. If it fails, with ErrAlreadyQuit after Quit or with ctx.Err(),
// the job will not run. On the worker's own thread the job has run when Begin returns.
func (t *Task) Begin(ctx context.Context) error {
	w, c := t.worker, t.worker.core
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.OnThread() {
		if p := c.protect(t.job, func() {}); p != nil {
			t.err = p
		}
		t.claim.Store(taken)
		t.state.Store(over)
		return nil
	}
	if w.closed.Load() || c.quit.Load() {
		return ErrAlreadyQuit
	}
	if c.heat.linesUp() && sleeper(c.inbox.head.Load()) != awake && !inBubble() && !w.OnOtherThread() {
		t.queuedAt = now()
		c.heat.lineUp(ctx.Done(), c.quitting)
		if err := ctx.Err(); err != nil {
			c.heat.cool() // the permit may have come together with the end
			return err
		}
	}
	if c.giveWay(t) {
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if !c.room.tryEnter() {
		if err := c.room.enter(ctx, c.quitting); err != nil {
			return err
		}
	}
	if !c.send(t) {
		return ErrAlreadyQuit
	}
	return nil
}

// Release recycles a task that neither side will touch again: it is over, or has
// never begun.
func (t *Task) Release() {
	if t.worker != nil && t.worker.core.bubble {
		return
	}
	t.worker, t.job, t.done, t.next, t.queuedAt, t.sentAt, t.woke, t.waited, t.err = nil, nil, nil, nil, 0, 0, awake, false, nil
	t.claim.Store(0)
	t.state.Store(0)
	tasks.Put(t)
}

// Over reports whether the job has returned or been refused.
func (t *Task) Over() bool { return t.state.Load()&over != 0 }

// Err returns nil, a *PanicError, ErrGoexit or ErrAlreadyQuit once the task
// is over.
func (t *Task) Err() error { return t.err }

// Signal makes a Wait look at its condition again. The job calls it after it has
// changed what the condition reads.
func (t *Task) Signal() {
	if t.state.Load()&asleep != 0 && t.state.And(^uint32(asleep))&asleep != 0 {
		t.wake <- struct{}{}
	}
}

// Await waits until the task is over. If ctx ends before the job starts, the job never
// runs, and Await returns ctx.Err(). A job that has started is always waited for.
func (t *Task) Await(ctx context.Context) error {
	if t.wait(nil, ctx.Done(), true) {
		return nil
	}
	if t.Withdraw() {
		return ctx.Err()
	}
	t.wait(nil, nil, false)
	return nil
}

// Wait waits until the task is over, or until cond holds if it is not nil. It reports
// false if stop was closed first. cond runs in the calling goroutine and must be
// quick.
func (t *Task) Wait(cond func() bool, stop <-chan struct{}) bool { return t.wait(cond, stop, true) }

// Withdraw keeps the job from starting, and reports whether it was in time. If so the
// worker owns the task, and drops it.
func (t *Task) Withdraw() bool { return t.claim.CompareAndSwap(0, withdrawn) }

// Leave gives a task that has started to the worker, which drops it when the job has
// returned. Nobody learns how it ended.
func (t *Task) Leave() {
	if t.state.Or(left)&over != 0 {
		t.Release()
	}
}

// finish ends the task on the worker's side.
func (t *Task) finish(err error) {
	if err != nil { // writing costs: the owner polls this line
		t.err = err
	}
	done := t.done
	s := t.state.Or(over)
	if s&asleep != 0 {
		t.wake <- struct{}{}
	}
	if s&left != 0 || done != nil { // nobody waits for a submitted task
		t.Release()
	}
	if done != nil {
		done(err)
	}
}

// wait is Wait. If spin is set, and the worker may be waited for actively, it begins
// with that.
func (t *Task) wait(cond func() bool, stop <-chan struct{}, spin bool) bool {
	ready := func() bool { return t.Over() || cond != nil && cond() }
	c := t.worker.core
	woken := t.woke != awake && !t.waited
	t.waited = true
	if ready() || spin && t.woke != handsOn && c.heat.waitActively(&t.state, ready, stop, woken, cond != nil) {
		return true
	}
	for {
		if t.state.Or(asleep)&over != 0 {
			return true // nobody owes a token for this sleep
		}
		if ready() {
			t.wakeUp()
			return true
		}
		select {
		case <-t.wake:
			if ready() {
				c.returned.Store(now())
				return true
			}
		case <-stop:
			t.wakeUp()
			return ready()
		}
	}
}

// wakeUp ends a sleep from the owner's side. If the worker has already ended it, or
// has set over while the owner was asleep, a token is on its way: wakeUp takes it, so
// that the task's next user does not find it.
func (t *Task) wakeUp() {
	if s := t.state.And(^uint32(asleep)); s&asleep == 0 || s&over != 0 {
		<-t.wake
	}
}
