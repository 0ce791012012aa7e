package overlay

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// A queue is the calls of an Engine, or of a Conn, and the lanes that do them,
// first come first served. A lane that has done a call takes the next itself.
//
// An Engine's queue has a few lanes, opened as they are needed. A short call is
// not worth waking another lane for: one is woken when the oldest call has waited
// for wakeAfter. A Conn's queue has one lane as long as it lives.
type queue struct {
	config *config
	most   int                           // lanes; a Conn's queue has 1
	open   func()                        // begins to open another lane; nil: a Conn's
	leases *leases                       // where the lanes' connections come from; nil: a Conn's
	writer *writer                       // of an Engine: does what writes; nil: there is none
	hot    atomic.Pointer[thread.Worker] // of the lane that was begun last
	ran    atomic.Int64                  // calls begun
	wakeups

	mu       sync.Mutex
	calls    callList       // those that wait
	lanes    []*lane        // all that are open; replaced, never changed in place
	idle     []*lane        // of these, those without a call; the last one for the shortest time
	opening  int            // lanes that open is opening
	attempts map[int]func() // ends each of the attempts
	attempt  int            // the last one's number
	blocked  int            // lanes whose functions wait for a call of this queue
	closed   error          // what new calls are refused with; nil: none is
	empty    chan struct{}  // closed, and made nil, when nothing waits or runs; nil: nobody asked
	timer    *time.Timer    // calls rouse
	armed    bool           // the timer is running
	stats    Stats
}

// wakeAfter is how long a call may wait before another lane is woken for it:
// about as long as that takes.
const wakeAfter = 100 * time.Microsecond

// own returns a Conn's lane if the caller is on its thread: a call would
// otherwise wait for itself.
func (q *queue) own() *lane {
	if q.open != nil {
		return nil
	}
	q.mu.Lock()
	lanes := q.lanes
	q.mu.Unlock()
	if len(lanes) == 0 || !lanes[0].pc.OnThread() {
		return nil
	}
	return lanes[0]
}

// submit has the call run, or queues it.
func (q *queue) submit(c *call) error {
	q.mu.Lock()
	closed := q.closed
	if c.closes && closed == nil {
		q.closed = ErrClosed
	}
	switch {
	case closed != nil && !c.tidy:
		q.stats.Refused++
		q.mu.Unlock()
		return closed
	case len(q.idle) > 0 && len(q.idle) == len(q.lanes):
		l := q.takeIdle()
		c.since = now()
		q.config.waits.add(0)
		l.current.Store(c) // under mu, so that stopAll misses no call
		q.mu.Unlock()
		l.start(c)
		return nil
	case len(q.lanes) == 0 && q.open == nil && q.opening == 0: // a Conn's lane is gone
		q.mu.Unlock()
		return q.gone()
	case q.calls.length-q.calls.free >= q.config.queue && !c.roomy():
		q.stats.Refused++
		q.mu.Unlock()
		return ErrQueueFull
	}
	c.since = now()
	q.calls.push(c)
	open := len(q.lanes) == 0 && q.opensMore()
	if !open && q.open != nil && !q.armed {
		q.arm(wakeAfter)
	}
	q.mu.Unlock()
	if open {
		q.open()
	}
	return nil
}

func (q *queue) gone() error { return thread.ErrAlreadyQuit }

// unbegun counts a call as withdrawn that a lane has taken and not begun.
func (q *queue) unbegun() {
	q.ran.Add(-1)
	q.withdrew()
}

// withdrew counts a call as withdrawn.
func (q *queue) withdrew() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stats.Withdrawn++
}

// take takes out a call for a lane. It needs mu.
func (q *queue) take(c *call) {
	q.calls.remove(c)
	c.waited = time.Since(c.since)
	q.stats.Waiting += c.waited
	q.config.waits.add(c.waited)
}

// remove takes out a call that was withdrawn.
func (q *queue) remove(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.listed {
		q.calls.remove(c)
	}
	if q.calls.length == 0 { // nobody waits for a lane: connecting may take for ever
		for _, cancel := range q.attempts {
			cancel()
		}
	}
	q.stats.Withdrawn++
	q.checkEmpty()
}

// claimed takes out a call that is done without a lane.
func (q *queue) claimed(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.listed {
		q.calls.remove(c)
	}
	q.checkEmpty()
}

// next returns the lane's next call, or nil after which the lane is idle or, if
// leaving says so, no longer the queue's.
func (q *queue) next(l *lane, leaving bool) *call {
	q.mu.Lock()
	if leaving {
		q.drop(l)
		q.ended(l, now())
		open := q.opensMore()
		q.checkEmpty()
		q.mu.Unlock()
		if open {
			q.open()
		}
		return nil
	}
	defer q.mu.Unlock()
	if c := q.calls.first; c != nil {
		q.take(c)
		q.ended(l, c.begun())
		l.current.Store(c)
		return c
	}
	q.deliver()
	q.rest(l)
	q.ended(l, l.since)
	return nil
}

// block is called by those who are about to wait for a call of the queue's. On
// the thread of a lane it reports stuck if no other lane is left that could do it.
func (q *queue) block() (release func(), stuck bool) {
	q.mu.Lock()
	lanes := q.lanes
	q.mu.Unlock()
	here := false
	for _, l := range lanes {
		here = here || l.pc.OnThread()
	}
	if !here {
		return nil, false
	}
	q.mu.Lock()
	if q.blocked+1 >= max(q.most, len(q.lanes)) {
		q.mu.Unlock()
		return nil, true
	}
	q.blocked++
	var l *lane
	c := q.calls.first
	if c != nil && len(q.idle) > 0 { // now: the lane that runs will not come for it
		l = q.takeIdle()
		q.take(c)
		l.current.Store(c)
	}
	open := l == nil && q.opensMore()
	q.mu.Unlock()
	if l != nil {
		l.start(c)
	}
	if open {
		q.open()
	}
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.blocked--
	}, false
}

// close refuses new calls with err. Those that wait are still run.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed == nil {
		q.closed = err
	}
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed != nil
}

// drained returns a channel that is closed when no call waits or runs.
func (q *queue) drained() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.empty == nil {
		q.empty = make(chan struct{})
	}
	empty := q.empty
	q.checkEmpty()
	return empty
}

func (q *queue) checkEmpty() {
	if q.empty != nil && q.calls.length == 0 && q.opening == 0 && len(q.idle) == len(q.lanes) {
		close(q.empty)
		q.empty = nil
	}
}

// underway returns the calls that wait and those that run.
func (q *queue) underway() (calls []*call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for c := q.calls.first; c != nil; c = c.next {
		calls = append(calls, c)
	}
	for _, l := range q.lanes {
		if c := l.current.Load(); c != nil {
			calls = append(calls, c)
		}
	}
	return calls
}

// stopAll cancels every call: those that wait are refused with err, those that
// run are stopped.
func (q *queue) stopAll(err error) {
	for _, c := range q.underway() {
		c.stop(err)
	}
}
