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
// wait: at most mostRest, or mostRestBusy if something else wants the processors.
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
// is writing slows the worker down. woken says that the caller has just woken the worker,
// which may not have a processor yet.
func (h *heat) waitActively(state *atomic.Uint32, ready func() bool, stop <-chan struct{}, woken, part bool) bool {
	if !h.tries(part) || !h.watch.CompareAndSwap(false, true) {
		return false
	}
	defer h.watch.Store(false)
	most, polls := h.spin, 32
	if state == &never { // ready is all there is to look at
		polls = 6
	}
	var y yields
	for {
		for range polls {
			if state.Load()&over != 0 {
				h.hit()
				return true
			}
			pause()
		}
		if ready() {
			h.hit()
			return true
		}
		if y.start == 0 {
			y.start = now()
			continue
		}
		if spent, busy := y.next(); busy || spent > most {
			h.miss(busy)
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
	y, most := yields{start: last}, c.heat.spin
	for {
		for range 32 {
			if c.inbox.head.Load() != nil {
				return true
			}
			pause()
		}
		if permits.waiting.Load() {
			most = min(most, closeGap)
		}
		if spent, busy := y.next(); busy || spent > most || c.quit.Load() || !c.heat.hot.Load() || wanted() {
			return false
		}
	}
}

// yields are the moments of an active wait when it lets other threads run on its core:
// the one that it waits for may be queued there, and the kernel takes some milliseconds
// to move it to an idle one. They come further and further apart, since each keeps the
// garbage collector from stopping the world.
type yields struct {
	start int64
	done  int
}

const (
	firstYield = 2 * time.Microsecond
	longYield  = 200 * time.Microsecond
)

// next yields if it is time to. It returns how long the wait has lasted. busy says that
// another process had the core meanwhile.
func (y *yields) next() (spent time.Duration, busy bool) {
	here := now()
	spent = time.Duration(here - y.start)
	if spent < firstYield<<y.done {
		return spent, false
	}
	y.done++
	yieldThread()
	took := time.Duration(now() - here)
	return spent + took, took > longYield
}

var epoch = time.Now()

// now is a monotonic time in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }
