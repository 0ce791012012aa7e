package overlay

import (
	"sync"
	"time"
)

// patience is how long the rest of a result's rows may take to be dropped
// before the database is asked to stop sending them.
const patience = 10 * time.Millisecond

// hurry has what the thread does next interrupted, again and again, if it lasts.
// done ends that; it must be called before anything else is done.
func (l *lane) hurry() (done func()) {
	var mu sync.Mutex // an interrupt holds it, so that it cannot come after done
	over := false
	var interrupt func()
	interrupt = func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			l.h.Interrupt(background)
			time.AfterFunc(time.Millisecond, interrupt)
		}
	}
	timer := time.AfterFunc(patience, interrupt)
	return func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	}
}
