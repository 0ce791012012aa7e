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
	c.since = time.Now()
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

// takeIdle takes the lane that was idle for the shortest time. It needs mu.
func (q *queue) takeIdle() *lane {
	l := q.idle[len(q.idle)-1]
	q.idle = q.idle[:len(q.idle)-1]
	q.hot.Store(l.w)
	return l
}

// arm has rouse called. It needs mu.
func (q *queue) arm(d time.Duration) {
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.rouse)
		return
	}
	q.timer.Reset(d)
}

// rouse gets another lane going if the oldest call has waited long enough.
func (q *queue) rouse() {
	q.mu.Lock()
	q.armed = false
	c := q.calls.first
	if c == nil {
		q.mu.Unlock()
		return
	}
	var l *lane
	open := false
	wait := wakeAfter - time.Since(c.since)
	if wait <= 0 {
		wait = wakeAfter
		switch {
		case len(q.idle) > 0:
			l = q.takeIdle()
			q.take(c)
			l.current.Store(c)
		default:
			open = q.opensMore()
		}
	}
	if q.calls.length > 0 && (len(q.idle) > 0 || len(q.lanes)+q.opening < q.most) {
		q.arm(wait)
	}
	q.mu.Unlock()
	if l != nil {
		l.start(c)
	}
	if open {
		q.open()
	}
}

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

// giveUpBy has cancel called when no call waits for a lane that is being opened.
// done takes it back.
func (q *queue) giveUpBy(cancel func()) (done func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.attempts == nil {
		q.attempts = make(map[int]func())
	}
	q.attempt++
	id := q.attempt
	q.attempts[id] = cancel
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.attempts, id)
	}
}

// opensMore reports whether to open another lane, and counts it. It needs mu.
func (q *queue) opensMore() bool {
	if q.open == nil || q.calls.length <= q.opening || len(q.lanes)+q.opening >= q.most {
		return false
	}
	q.opening++
	return true
}

// take takes out a call for a lane. It needs mu.
func (q *queue) take(c *call) {
	q.calls.remove(c)
	q.stats.Waiting += time.Since(c.since)
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
		l.current.Store(c)
		return c
	}
	q.deliver()
	q.rest(l)
	return nil
}

// rest makes a lane idle. It needs mu.
func (q *queue) rest(l *lane) {
	q.idle = append(q.idle, l)
	l.since = time.Now()
	if l.lease != nil {
		l.lease.from.watchIdle(q)
	}
	q.checkEmpty()
}

// add takes a new lane.
func (q *queue) add(l *lane) {
	q.mu.Lock()
	q.opening--
	q.lanes = append(q.lanes[:len(q.lanes):len(q.lanes)], l)
	c := q.calls.first
	if c == nil {
		q.rest(l)
	} else {
		q.take(c)
		l.current.Store(c)
		q.hot.Store(l.w)
		if q.calls.length > 0 && !q.armed && q.open != nil {
			q.arm(wakeAfter)
		}
	}
	q.mu.Unlock()
	if c != nil {
		l.start(c)
	}
}

// failed is called when a lane could not be opened: the call that has waited for
// the longest time gets the error, unless another lane will come for it or the
// attempt was given up, and another attempt is made for the rest.
func (q *queue) failed(err error, givenUp bool) {
	q.mu.Lock()
	q.opening--
	c := q.calls.first
	served := len(q.lanes) > q.blocked
	if c != nil && !served && !givenUp {
		q.calls.remove(c)
	} else {
		c = nil
	}
	open := (!served || givenUp) && q.opensMore() // a call may have come meanwhile
	q.checkEmpty()
	q.mu.Unlock()
	if c != nil {
		c.refuse(err)
	}
	if open {
		q.open()
	}
}

// lost takes out a lane whose connection is gone, and gives back the call that it
// has not begun, if there is one. The calls of a Conn are refused: nobody is left
// to do them.
func (q *queue) lost(l *lane, c *call) {
	q.mu.Lock()
	q.drop(l)
	if c != nil {
		c.since = time.Now()
		q.calls.pushFront(c)
	}
	l, c = nil, q.calls.first
	if c != nil && len(q.idle) > 0 {
		l = q.takeIdle()
		q.take(c)
		l.current.Store(c)
	}
	open := q.opensMore()
	var refused []*call
	if q.open == nil {
		for q.calls.first != nil {
			refused = append(refused, q.calls.first)
			q.calls.remove(q.calls.first)
		}
	}
	q.checkEmpty()
	q.mu.Unlock()
	for _, c := range refused {
		c.refuse(q.gone())
	}
	if l != nil {
		l.start(c)
	}
	if open {
		q.open()
	}
}

// drop removes a lane from the lists. It needs mu.
func (q *queue) drop(l *lane) {
	without := func(ls []*lane) []*lane {
		for i := range ls {
			if ls[i] == l {
				return append(ls[:i:i], ls[i+1:]...)
			}
		}
		return ls
	}
	q.lanes, q.idle = without(q.lanes), without(q.idle)
	q.hot.CompareAndSwap(l.w, nil)
}

// dropIdle removes the idle lanes that have been so for at least d, and returns
// them.
func (q *queue) dropIdle(d time.Duration) (dropped []*lane, left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.idle {
		if d == 0 || time.Since(l.since) >= d {
			dropped = append(dropped, l)
		}
	}
	for _, l := range dropped {
		q.drop(l)
	}
	return dropped, len(q.idle)
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
