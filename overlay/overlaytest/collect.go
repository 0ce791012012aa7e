package overlaytest

import (
	"runtime"
	"time"
)

// probe is an object to be collected. It has a pointer, for the runtime keeps small
// objects without one together.
type probe struct{ _ *probe }

// collect has the garbage found and waits until what is done about it has been
// done. The second time round is for what the first has set free, and for
// cleanups that ran beside the probe's.
func collect() {
	for range 2 {
		over := make(chan struct{})
		runtime.AddCleanup(new(probe), func(over chan struct{}) { close(over) }, over)
		runtime.GC()
		select {
		case <-over:
		case <-time.After(time.Second): // somebody else's cleanup is in the way
		}
	}
}
