package thread

import (
	"context"
	"sync"
	"sync/atomic"
)

// inbox is where calls are handed to a worker: a stack that any goroutine
// pushes to and the worker empties as a whole, oldest first. The head word is
// the whole protocol. Besides a task it can be
//
//	nil      the worker is awake and nothing waits
//	asleep   one mark for each way to park: whoever else replaces it must wake
//	         the worker in that way
//	gone     the worker takes no more calls; never changes again
//
// Anybody moves nil or asleep to a task (push), and asleep to nil after setting quit.
// The worker alone moves a task to nil (take), nil to asleep and nil to gone.
type inbox struct {
	head atomic.Pointer[Task]
}

var (
	parked = [ways]*Task{inChannel: new(Task), inKernel: new(Task)} // the marks of a worker that sleeps
	gone   = new(Task)
)

// sleeper returns how a worker sleeps whose mark t is; awake if t is no such mark.
func sleeper(t *Task) way {
	switch t {
	case parked[inChannel]:
		return inChannel
	case parked[inKernel]:
		return inKernel
	}
	return awake
}

// push adds t. It returns how the worker slept, whom the caller must wake then; and
// what was there before: gone if t was not taken, because the worker takes nothing any
// more.
func (q *inbox) push(t *Task) (how way, old *Task) {
	for {
		old = q.head.Load()
		if old == gone {
			return awake, old
		}
		how = sleeper(old)
		t.next, t.woke = old, how
		if how != awake {
			t.next = nil
		}
		if q.head.CompareAndSwap(old, t) {
			return how, old
		}
	}
}

// unpark takes the mark of a worker that sleeps away. It returns how it slept.
func (q *inbox) unpark() way {
	old := q.head.Load()
	if how := sleeper(old); how != awake && q.head.CompareAndSwap(old, nil) {
		return how
	}
	return awake
}

// take empties the inbox and returns its tasks in order of arrival.
func (q *inbox) take() *Task {
	var first *Task
	for t := q.head.Swap(nil); t != nil; {
		next := t.next
		t.next = first
		first, t = t, next
	}
	return first
}

// room bounds what a queue holds. Callers count what they send, and the worker
// counts what has passed, each on its own cache line. The callers keep a copy of
// the worker's count; a stale copy does no harm, since it can only be too low.
// Callers that find no room line up under the mutex, and while there is a line,
// newcomers join it.
type room struct {
	places int64

	_    line
	sent atomic.Int64 // changed by callers
	seen atomic.Int64 // the callers' copy of passed

	_      line
	passed atomic.Int64 // changed by the worker

	_       line
	waiting atomic.Bool // mirrors len(queue) > 0; written under mu
	mu      sync.Mutex
	queue   []chan struct{} // guarded by mu; closed when a place is handed over
}

// line keeps what different threads write on different cache lines.
type line [64]byte

func (r *room) tryEnter() bool {
	return !r.waiting.Load() && r.tryTake()
}

func (r *room) tryTake() bool {
	for {
		n := r.sent.Load()
		if n-r.seen.Load() >= r.places {
			passed := r.passed.Load()
			if n-passed >= r.places {
				return false
			}
			r.seen.Store(passed)
		}
		if r.sent.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// enter waits for a place until ctx ends or quit is closed.
func (r *room) enter(ctx context.Context, quit <-chan struct{}) error {
	turn := make(chan struct{})
	r.mu.Lock()
	r.queue = append(r.queue, turn)
	r.waiting.Store(true)
	r.admit() // a place freed before waiting was set has called nobody
	r.mu.Unlock()

	var err error
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-quit:
		err = ErrAlreadyQuit
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, c := range r.queue {
		if c == turn {
			r.queue = append(r.queue[:i], r.queue[i+1:]...)
			r.waiting.Store(len(r.queue) > 0)
			return err
		}
	}
	r.sent.Add(-1) // the place came together with the end: pass it on
	r.admit()
	return err
}

// leave frees a place. The worker calls it as it passes a call.
func (r *room) leave() {
	r.passed.Store(r.passed.Load() + 1)
	if r.waiting.Load() {
		r.mu.Lock()
		r.admit()
		r.mu.Unlock()
	}
}

// admit hands free places to the head of the line. It needs mu.
func (r *room) admit() {
	for len(r.queue) > 0 && r.tryTake() {
		close(r.queue[0])
		r.queue = r.queue[1:]
	}
	r.waiting.Store(len(r.queue) > 0)
}

func (r *room) waitingCalls() int {
	return int(max(0, r.sent.Load()-r.passed.Load()))
}
