package overlaytest

import (
	"runtime"
	"sync/atomic"
	"time"
)

// probe is an object to be collected. It has a pointer, for the runtime keeps small
// objects without one together.
type probe struct{ _ *probe }

// collect has the garbage found and waits until what is done about it has been
// done. The second time round is for what the first has set free, and for
// cleanups that ran beside the probe's. It looks again and again, since a cleanup must not
// close a channel of a bubble of testing/synctest.
func collect() {
	for range 2 {
		over := new(atomic.Bool)
		runtime.AddCleanup(new(probe), func(over *atomic.Bool) { over.Store(true) }, over)
		runtime.GC()
		for range 10_000 { // a second: somebody else's cleanup may be in the way
			if over.Load() {
				break
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
}
