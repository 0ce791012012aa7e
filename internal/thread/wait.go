package thread

import (
	"runtime"
	"sync/atomic"
	"time"
)

// heat decides who waits actively. A worker is hot while it holds one of the permits; in a
// hop neither side then touches shared state. Either side gives the permit back when it
// has waited actively for nothing.
type heat struct {
	inbox     *inbox // the worker's; set once
	spin      time.Duration
	hot       atomic.Bool  // holds one of the permits; written under permits.mu
	retired   bool         // the worker has ended: it takes no permit any more; guarded by permits.mu
	since     atomic.Int64 // when it became hot
	outOfTurn atomic.Bool  // it has lost its permit to others, who wait
	near      atomic.Bool  // the last call came soon after the one before; written by the worker
	long      atomic.Bool  // the last call took longer than an active wait; written by the worker
	close     atomic.Int32 // grows with each call that came in closeGap, and falls with each other; likewise
	patience  patience     // of both sides; seldom written

	_      line
	watch  atomic.Bool  // a caller waits actively; the others park
	missed atomic.Int32 // how many waits of callers in a row were for nothing
	rest   atomic.Int32 // how many callers are to park at once before the next tries
}

// set sets near or long.
func set(b *atomic.Bool, to bool) {
	if b.Load() != to {
		b.Store(to)
	}
}

// noteGap notes how long after the last call the worker has got the next one.
func (h *heat) noteGap(gap time.Duration, adapt bool) {
	set(&h.near, !adapt || gap <= h.spin)
	switch n := h.close.Load(); {
	case gap > closeGap:
		h.close.Store(max(0, n-streak))
	case n < 2*streak:
		h.close.Store(n + 1)
	}
}

// After waits for nothing some callers park at once, twice as many after each such
// wait: at most mostRest, or mostRestBusy if goroutines that compute want the processors.
const (
	mostRest     = 16
	mostRestBusy = 128
)

// tries reports whether a caller is to wait actively at all. part says that it waits for
// a part of the call, such as its next row.
func (h *heat) tries(part bool) bool {
	if !part && (!h.near.Load() || h.long.Load()) {
		return false
	}
	if n := h.rest.Load(); n > 0 {
		h.rest.CompareAndSwap(n, n-1)
		return false
	}
	if h.hot.Load() {
		return true
	}
	if !h.warm() {
		return false
	}
	if sleeper(h.inbox.head.Load()) != awake { // what it is to do is done: nobody would give the permit back
		h.cool()
		return false
	}
	return true
}

func (h *heat) hit() {
	if h.missed.Load() != 0 {
		h.missed.Store(0)
	}
	if h.sliceOver() {
		h.cool()
	}
}

func (h *heat) miss(busy bool) {
	h.cool() // the permit is of more use to another
	most := int32(mostRest)
	if busy {
		most = mostRestBusy
	}
	h.rest.Store(min(most, 1<<min(h.missed.Add(1), 16)))
}

// waitActively is the caller's side. It reports whether ready came true. It polls
// state for over, and calls ready only now and then, since reading what the worker
// is writing slows the worker down. woken says that the caller has woken the worker, and has
// not waited since. The worker may not have a processor yet, and if other processes keep all of
// them busy, waiting actively for it pays only in a run of calls.
func (h *heat) waitActively(state *atomic.Uint32, ready func() bool, stop <-chan struct{}, woken, part bool) bool {
	if woken && h.patience.long() && h.close.Load() < streak || !h.tries(part) || !h.watch.CompareAndSwap(false, true) {
		return false
	}
	defer h.watch.Store(false)
	most, polls := h.spin, 32
	if state == &never { // ready is all there is to look at
		polls = 6
	}
	y := yields{patience: &h.patience}
	for {
		for range polls {
			if state.Load()&over != 0 {
				y.answered()
				h.hit()
				return true
			}
			pause()
		}
		if ready() {
			y.answered()
			h.hit()
			return true
		}
		if y.start == 0 {
			y.start = now()
			continue
		}
		if y.next() > most {
			h.miss(false)
			return ready()
		}
		if !woken && wanted() { // perhaps by the goroutine that database/sql starts for a context
			here := now()
			runtime.Gosched()
			if time.Duration(now()-here) > longYield { // whole time slices of others
				h.miss(true)
				return ready()
			}
		}
		select {
		case <-stop:
			return ready()
		default:
		}
	}
}

// waitActively is the worker's side: it waits for a task for as long as its caller is
// likely to need for the next one.
func (c *core) waitActively(last int64) bool {
	if !c.heat.near.Load() || !c.heat.warm() {
		return false
	}
	y, most := yields{patience: &c.heat.patience, start: last}, c.heat.spin
	for {
		for range 32 {
			if c.inbox.head.Load() != nil {
				y.answered()
				return true
			}
			pause()
		}
		if permits.waiting.Load() {
			most = min(most, closeGap)
		}
		if y.next() > most || c.quit.Load() || !c.heat.hot.Load() || wanted() {
			return false
		}
	}
}

// yields are the moments of an active wait when it lets other threads run on its core:
// the one that it waits for may be queued there, and the kernel takes some milliseconds
// to move it to an idle one. They come further and further apart, since each keeps the
// garbage collector from stopping the world.
type yields struct {
	patience *patience
	start    int64 // when the wait began, without the time slices of other processes
	done     int
	quick    bool // the last yield was not long
}

// next yields if it is time to. It returns how long the wait has lasted.
func (y *yields) next() time.Duration {
	here := now()
	spent := time.Duration(here - y.start)
	if spent < y.patience.get(here)<<y.done {
		return spent
	}
	yieldThread()
	return y.yielded(spent, here, now())
}

// yielded notes a yield, after a wait of spent. It returns how long the wait has lasted.
func (y *yields) yielded(spent time.Duration, from, to int64) time.Duration {
	y.done++
	took := time.Duration(to - from)
	if y.quick = took < longYield; y.quick {
		return spent + took
	}
	y.patience.grow(to)
	y.start += int64(took)
	return spent
}

// answered is called when what the wait was for has come.
func (y *yields) answered() {
	if y.quick {
		y.patience.shrink()
	}
}

// patience is how long an active wait lasts before it first yields the core. If other
// processes keep the cores busy, a yield gives one of them a time slice of milliseconds,
// and both sides of a hop are seldom awake together if each yields soon: so a long yield
// makes it long, for a while. If the two sides share a core, only a yield brings the
// answer: a wait that ends after one that was not long halves it. It is for both sides of
// all calls of a worker, and may be wrong.
type patience struct {
	ns    atomic.Int64
	grown atomic.Int64 // when
}

const (
	leastPatience = 2 * time.Microsecond
	mostPatience  = 64 * time.Microsecond
	longPatience  = 100 * time.Millisecond // how long it stays long
	longYield     = 200 * time.Microsecond
)

func (p *patience) get(here int64) time.Duration {
	n := p.ns.Load()
	if n <= int64(leastPatience) || here-p.grown.Load() > int64(longPatience) {
		return leastPatience
	}
	return time.Duration(n)
}

// long reports whether other processes have kept the cores busy lately.
func (p *patience) long() bool {
	return p.ns.Load() == int64(mostPatience) && p.get(now()) == mostPatience
}

func (p *patience) grow(here int64) {
	p.grown.Store(here)
	p.ns.Store(int64(mostPatience))
}

func (p *patience) shrink() {
	if n := p.ns.Load(); n > int64(leastPatience) {
		p.ns.Store(n / 2)
	}
}

var epoch = time.Now()

// now is a monotonic time in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }
