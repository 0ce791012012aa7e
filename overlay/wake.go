package overlay

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// wakeups wakes those who sleep until their futures are complete. That is
// better not done by a lane: the goroutines would queue for its processor, which it
// does not give away while calls wait. If one of those who wait does so
// actively, and so has a processor, it wakes the others.
type wakeups struct {
	watchers atomic.Int32 // who deliver
	some     atomic.Bool  // gates is not empty

	mu    sync.Mutex
	gates []chan struct{} // guarded by mu: to be closed
}

// mostLate is how many may sleep longer than they have to, in case the one who is to
// wake them does not come to run.
const mostLate = 16

// wake closes a gate, now or soon.
func (w *wakeups) wake(gate chan struct{}) {
	if w.watchers.Load() == 0 {
		close(gate)
		return
	}
	w.mu.Lock()
	w.gates = append(w.gates, gate)
	w.some.Store(true)
	late := len(w.gates)
	w.mu.Unlock()
	if late >= mostLate || w.watchers.Load() == 0 {
		w.deliver()
	}
}

// deliver closes all gates, and reports whether there were any.
func (w *wakeups) deliver() bool {
	if !w.some.Load() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.gates {
		close(g)
	}
	clear(w.gates)
	w.gates = w.gates[:0]
	w.some.Store(false)
	return true
}

// watch waits actively for f, if the worker has leave to, and wakes others
// meanwhile.
func (w *wakeups) watch(on *thread.Worker, f *core, stop <-chan struct{}) bool {
	w.watchers.Add(1)
	defer func() {
		w.watchers.Add(-1)
		w.deliver()
	}()
	return on.Watch(func() bool {
		if w.deliver() {
			runtime.Gosched()
		}
		return f.settled.Load()
	}, stop)
}
