package thread

// parker puts a worker to sleep. A channel does it better than a futex of the
// worker's own: the scheduler hands the processor on at once, while after a system
// call that blocks it takes it back 20 µs later at the earliest, and with many
// connections that is most of a call.
type parker chan struct{}

func newParker() parker { return make(parker, 1) }

// sleep returns after a wake, perhaps one meant for an earlier sleep.
func (p parker) sleep() { <-p }

// wake ends a sleep. It never blocks: one token is as good as two.
func (p parker) wake() {
	select {
	case p <- struct{}{}:
	default:
	}
}
