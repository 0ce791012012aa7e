package overlay

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/threadpin"
)

// pool is a queue of calls and the lanes that take from it: those of an
// Engine, or the one of a Conn, or the one that an Engine's Result keeps until
// it has all its rows. A call that comes while a lane is idle goes to it; the others
// wait, first come first served, and a lane that has done one takes the next
// itself, so that nobody is woken for it.
type pool struct {
	config *config
	most   int                              // lanes
	grow   func()                           // opens another lane; nil: there are no more
	idled  func()                           // called under mu when a lane falls idle; may be nil
	hot    atomic.Pointer[threadpin.Worker] // of the lane that was begun last
	ran    atomic.Int64                     // calls begun
	wakeups

	mu      sync.Mutex
	first   *call // those that wait
	last    *call
	length  int
	inner   int                // of these, the overlay's own
	idle    []*lane            // the last one has been idle for the shortest time
	lanes   []*lane            // all that are open
	opening int                // lanes that grow is opening
	lent    map[*feed]struct{} // the results that keep a lane each
	blocked int                // lanes whose functions wait for a call of this pool
	closed  error              // what new calls are refused with; nil: none is
	forced  bool               // stopAll was called: no result may keep a lane any more
	empty   chan struct{}      // closed, and made nil, when nothing waits or runs; nil: nobody asked
	stats   Stats
}

// own returns the pool's only lane if the caller is on its thread: a call would
// otherwise wait for itself.
func (p *pool) own() *lane {
	if p.grow != nil {
		return nil
	}
	p.mu.Lock()
	var l *lane
	if len(p.lanes) > 0 {
		l = p.lanes[0]
	}
	p.mu.Unlock()
	if l == nil || !l.w.OnThread() {
		return nil
	}
	return l
}

// submit has the call run, or queues it.
func (p *pool) submit(c *call) error {
	p.mu.Lock()
	closed := p.closed
	if c.closes && closed == nil {
		p.closed = ErrClosed
	}
	switch {
	case closed != nil:
		p.stats.Refused++
		p.mu.Unlock()
		return closed
	case len(p.idle) > 0:
		l := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		p.hot.Store(l.w)
		l.current.Store(c) // under mu, so that stopAll misses no call
		p.mu.Unlock()
		l.start(c)
		return nil
	case p.length-p.inner >= p.config.queue && !c.internal():
		p.stats.Refused++
		p.mu.Unlock()
		return ErrQueueFull
	}
	p.push(c)
	grow := p.wantsMore()
	p.mu.Unlock()
	if grow {
		p.grow()
	}
	return nil
}

// wantsMore reports whether to open another lane, and counts it. It needs mu.
func (p *pool) wantsMore() bool {
	if p.grow == nil || len(p.lanes)+p.opening >= p.most || p.opening >= p.length {
		return false
	}
	p.opening++
	return true
}

// remove takes out a call that was withdrawn.
func (p *pool) remove(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.queued {
		p.unlink(c)
	}
	p.stats.Withdrawn++
	p.checkEmpty()
}

// next returns the lane's next call, or nil after which the lane is idle.
func (p *pool) next(l *lane) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.first; c != nil {
		p.take(c)
		l.current.Store(c)
		return c
	}
	p.deliver()
	p.idle = append(p.idle, l)
	l.idle = 0
	if p.idled != nil {
		p.idled()
	}
	p.checkEmpty()
	return nil
}

// add is called with a new lane, which takes calls from now on.
func (p *pool) add(l *lane) {
	p.mu.Lock()
	p.opening--
	p.lanes = append(p.lanes, l)
	c := p.first
	if c == nil {
		p.idle = append(p.idle, l)
		l.idle = 0
		if p.idled != nil {
			p.idled()
		}
		p.checkEmpty()
	} else {
		p.take(c)
		l.current.Store(c)
		p.hot.Store(l.w)
	}
	p.mu.Unlock()
	if c != nil {
		l.start(c)
	}
}

// failed is called when grow has failed: the call that waits for the longest
// time gets the error, and another attempt is made for the rest.
func (p *pool) failed(err error) {
	p.mu.Lock()
	p.opening--
	c := p.first
	free := len(p.lanes) > len(p.lent)+p.blocked // and will come for the calls that wait
	if c != nil && !free {
		p.unlink(c)
	} else {
		c = nil
	}
	grow := !free && p.wantsMore()
	p.checkEmpty()
	p.mu.Unlock()
	if c != nil {
		c.refuse(err)
	}
	if grow {
		p.grow()
	}
}

// lost takes out a lane whose connection is gone, and gives back the call that it
// has not begun, if there is one: to a lane that is idle, or else to the next one.
func (p *pool) lost(l *lane, c *call) {
	p.mu.Lock()
	p.drop(l)
	maps.DeleteFunc(p.lent, func(f *feed, _ struct{}) bool { return f.pool == l.pool })
	if c != nil {
		p.pushFront(c)
	}
	l = nil
	if p.first != nil && len(p.idle) > 0 {
		l, c = p.idle[len(p.idle)-1], p.first
		p.idle = p.idle[:len(p.idle)-1]
		p.take(c)
	}
	grow := p.length > 0 && p.wantsMore()
	var refused []*call
	if p.grow == nil { // nobody is left to do them
		if p.closed == nil {
			p.closed = threadpin.ErrAlreadyQuit
		}
		for p.first != nil {
			refused = append(refused, p.first)
			p.unlink(p.first)
		}
	}
	p.checkEmpty()
	err := p.closed
	p.mu.Unlock()
	for _, c := range refused {
		c.refuse(err)
	}
	if l != nil {
		l.start(c)
	}
	if grow {
		p.grow()
	}
}

// drop removes a lane from the lists. It needs mu.
func (p *pool) drop(l *lane) {
	without := func(ls []*lane) []*lane {
		for i := range ls {
			if ls[i] == l {
				return append(ls[:i:i], ls[i+1:]...)
			}
		}
		return ls
	}
	p.lanes, p.idle = without(p.lanes), without(p.idle)
	p.hot.CompareAndSwap(l.w, nil)
}

// block is called by those who are about to wait for a call of the pool's. On the
// thread of a lane it reports stuck if no other lane is left that could run it.
func (p *pool) block() (release func(), stuck bool) {
	p.mu.Lock()
	lanes := p.lanes
	p.mu.Unlock()
	here := false
	for _, l := range lanes { // replaced, never changed in place
		here = here || l.w.OnThread()
	}
	if !here {
		return nil, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.blocked+1 >= max(p.most, len(p.lanes)) {
		return nil, true
	}
	p.blocked++
	if p.wantsMore() { // the lane that was to come for the call may have failed to
		p.grow()
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.blocked--
	}, false
}

// close refuses new calls with err. Those that wait are still run.
func (p *pool) close(err error) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		return false
	}
	p.closed = err
	return true
}

// drained returns a channel that is closed when no call waits or runs.
func (p *pool) drained() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.empty == nil {
		p.empty = make(chan struct{})
	}
	empty := p.empty
	p.checkEmpty()
	return empty
}

func (p *pool) checkEmpty() {
	if p.empty != nil && p.length == 0 && p.opening == 0 && len(p.idle) == len(p.lanes) {
		close(p.empty)
		p.empty = nil
	}
}

// stopAll cancels every call: those that wait are refused with err, those that
// run are interrupted.
func (p *pool) stopAll(err error) {
	p.mu.Lock()
	p.forced = true
	var calls []*call
	for c := p.first; c != nil; c = c.next {
		calls = append(calls, c)
	}
	for _, l := range p.lanes {
		if c := l.current.Load(); c != nil {
			calls = append(calls, c)
		}
	}
	p.mu.Unlock()
	for _, c := range calls {
		c.stop(err)
	}
}

func (p *pool) isForced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forced
}
