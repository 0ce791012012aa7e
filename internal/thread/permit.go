package thread

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// permits says which workers are hot. A worker and its caller that wait for each other
// actively keep two processors busy, so there is one permit for each pair of processors.
//
// If more workers than that are called again and again, their callers line up for a
// permit. Each keeps it for a slice, and waits for the slices of those before him: calls
// that follow each other on one thread cost a fraction of calls that wake a thread each.
var permits struct {
	most, given atomic.Int32 // given is len(hot), for those who do not have mu
	waiting     atomic.Bool  // len(line) > 0, likewise

	mu    sync.Mutex
	hot   []*heat   // guarded by mu: they hold one
	line  []*ticket // guarded by mu: calls that wait for one
	clock bool      // guarded by mu: revoke will be called

	// lost is what callers in line have lost, in nanoseconds, since a worker with a permit had
	// no processor, over what lines have spared. It is about the last ones. See noteTurn.
	lost   atomic.Int64
	closed atomic.Int64 // until then nobody lines up, since that has cost too much
}

// A ticket is a call's place in the line.
type ticket struct {
	h       *heat
	granted chan struct{} // closed when h is hot, or its caller is to go on without
}

const (
	// slice is how long a worker stays hot while others wait. It is a fifth of what a
	// goroutine gets that computes.
	slice = 2 * time.Millisecond
	// closeGap is about what it takes to wake a thread: calls that come closer together
	// wait in line rather than each wake its own.
	closeGap = 20 * time.Microsecond
	// streak is how many calls in a row came so before the first one waits in line.
	streak = 4
)

func init() { countProcessors() }

// countProcessors is called when a worker parks, and while callers are in line: GOMAXPROCS may
// change while the program runs, and reading it takes a lock of the scheduler.
func countProcessors() {
	if most := pairs(); most != permits.most.Load() {
		permits.mu.Lock()
		defer permits.mu.Unlock()
		permits.most.Store(most)
		admit()
	}
}

func pairs() int32 { return int32(min(runtime.GOMAXPROCS(0), runtime.NumCPU()) / 2) }

func full() bool { return permits.given.Load() >= permits.most.Load() }

// warm reports whether the worker is hot, making it so if a permit is free.
func (h *heat) warm() bool {
	if h.hot.Load() {
		return true
	}
	if h.spin == 0 || permits.waiting.Load() || full() {
		return false
	}
	permits.mu.Lock()
	defer permits.mu.Unlock()
	return len(permits.line) == 0 && h.take()
}

// take makes the worker hot if a permit is free. It needs mu.
func (h *heat) take() bool {
	switch {
	case h.hot.Load():
		return true
	case h.retired || len(permits.hot) >= int(permits.most.Load()):
		return false
	}
	permits.hot = append(permits.hot, h)
	permits.given.Store(int32(len(permits.hot)))
	h.since.Store(now())
	h.hot.Store(true)
	return true
}

// drop takes the permit away, if there is one. It needs mu. admit is to be called next.
func (h *heat) drop() {
	if i := slices.Index(permits.hot, h); i >= 0 {
		permits.hot = slices.Delete(permits.hot, i, i+1)
		permits.given.Store(int32(len(permits.hot)))
		h.outOfTurn.Store(len(permits.line) > 0)
		h.hot.Store(false)
	}
}

// admit gives free permits to the head of the line. If there are no permits at all, nobody
// waits for one. It needs mu.
func admit() {
	for len(permits.line) > 0 {
		t := permits.line[0]
		if !t.h.take() && !t.h.retired && permits.most.Load() > 0 {
			break
		}
		permits.line = permits.line[1:]
		close(t.granted)
	}
	permits.waiting.Store(len(permits.line) > 0)
	if len(permits.line) > 0 && !permits.clock {
		permits.clock = true
		time.AfterFunc(2*slice, revoke)
	}
}

// cool gives the permit to the next in line.
func (h *heat) cool() {
	if !h.hot.Load() {
		return
	}
	permits.mu.Lock()
	defer permits.mu.Unlock()
	h.drop()
	admit()
}

// retire gives the permit back for ever.
func (h *heat) retire() {
	permits.mu.Lock()
	defer permits.mu.Unlock()
	h.retired = true
	h.drop()
	admit()
}

// revoke takes the permits of workers that have had them for long while others wait:
// their callers do something else, or their calls take long.
func revoke() {
	countProcessors()
	permits.mu.Lock()
	defer permits.mu.Unlock()
	permits.clock = false
	expire(now() - int64(2*slice))
}

// expire takes the permits of those that have had them since before. It needs mu.
func expire(before int64) {
	for _, h := range slices.Clone(permits.hot) {
		if h.since.Load() < before {
			h.drop()
		}
	}
	admit()
}

// sliceOver reports whether the worker's slice is over and others wait.
func (h *heat) sliceOver() bool {
	return permits.waiting.Load() && now()-h.since.Load() > int64(slice)
}

// linesUp reports whether a call is to wait for a permit before it wakes the worker.
func (h *heat) linesUp() bool {
	return h.close.Load() >= streak && !h.hot.Load() && !h.long.Load() && h.spin > 0 &&
		full() && permits.most.Load() > 0 && now() > permits.closed.Load()
}

// lineUp waits for a permit, until stop or quit is closed.
func (h *heat) lineUp(stop, quit <-chan struct{}) {
	t := h.enter()
	select {
	case <-t.granted:
	case <-stop:
		t.leave()
	case <-quit:
		t.leave()
	}
}

// enter takes a place in the line.
func (h *heat) enter() *ticket {
	t := &ticket{h, make(chan struct{})}
	permits.mu.Lock()
	defer permits.mu.Unlock()
	permits.line = append(permits.line, t)
	admit()
	return t
}

// leave gives the place up, or what has been granted to it.
func (t *ticket) leave() {
	permits.mu.Lock()
	defer permits.mu.Unlock()
	if i := slices.Index(permits.line, t); i >= 0 {
		permits.line = slices.Delete(permits.line, i, i+1)
	} else {
		t.h.drop()
	}
	admit()
}

// A worker that had to leave its permit to others sleeps in the kernel, since a processor
// is free when it is its turn again, unless goroutines compute. noteTurn notes how long it
// then waited for a processor. If such waits cost more than the slices spare, nobody
// lines up for a while.
func noteTurn(took time.Duration) {
	switch {
	case took < starved:
		if permits.lost.Load() > -int64(16*slice) {
			permits.lost.Add(-int64(slice / 2))
		}
	case permits.lost.Add(int64(took)) > int64(256*slice):
		permits.lost.Store(0)
		permits.closed.Store(now() + int64(4*time.Second))
	}
}
