package thread

import (
	"runtime"
	"sync/atomic"
	"time"
)

// heat decides which workers may be waited for actively. Active waiting holds a
// processor: on the caller's side while the function runs, and on the worker's
// side between calls. So a worker and its caller keep two processors busy, and
// there are as many permits as pairs of processors. A worker is hot while it
// holds a permit; in a hop neither side then touches shared state. Either side
// gives the permit back when it has waited actively for nothing.
type heat struct {
	spin time.Duration
	hot  atomic.Bool // holds one of the permits

	_     line
	watch atomic.Bool // a caller waits actively; the others park
}

var (
	permits   atomic.Int32 // how many workers may be hot
	permitted atomic.Int32 // how many are
)

func init() { countProcessors() }

// countProcessors is called when a worker parks: GOMAXPROCS may change while
// the program runs, and reading it takes a lock of the scheduler.
func countProcessors() {
	permits.Store(int32(min(runtime.GOMAXPROCS(0), runtime.NumCPU()) / 2))
}

// warm reports whether the worker is hot, making it so if a permit is free.
func (h *heat) warm() bool {
	if h.hot.Load() {
		return true
	}
	if h.spin == 0 || permitted.Load() >= permits.Load() {
		return false
	}
	if permitted.Add(1) > permits.Load() || !h.hot.CompareAndSwap(false, true) {
		permitted.Add(-1)
		return h.hot.Load()
	}
	return true
}

func (h *heat) cool() {
	if h.hot.CompareAndSwap(true, false) {
		permitted.Add(-1)
	}
}

// keepProcessor is how long an active wait keeps its processor and looks at
// nothing else, as a C call of that length would. After that it lets others run
// in between: threads, since the answer may come from one that waits for this
// processor, and on the caller's side goroutines, since database/sql starts one
// for each query whose context can end.
const keepProcessor = 5 * time.Microsecond

// waitActively is the caller's side. It reports whether ready came true. It polls
// state for over, and calls ready only now and then, since reading what the worker
// is writing slows the worker down.
func (h *heat) waitActively(state *atomic.Uint32, ready func() bool, stop <-chan struct{}) bool {
	if !h.warm() || !h.watch.CompareAndSwap(false, true) {
		return false
	}
	defer h.watch.Store(false)
	var start int64
	for {
		for range 128 {
			if state.Load()&over != 0 {
				return true
			}
		}
		if ready() {
			return true
		}
		if start == 0 {
			start = now()
		}
		switch spent := time.Duration(now() - start); {
		case spent > h.spin:
			h.cool() // a long call: the permit is of more use to another
			return false
		case spent > keepProcessor:
			select {
			case <-stop:
				return ready()
			default:
				runtime.Gosched()
				yieldThread()
			}
		}
	}
}

var epoch = time.Now()

// now is a monotonic time in nanoseconds.
func now() int64 { return int64(time.Since(epoch)) }
