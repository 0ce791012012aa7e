package thread

// parker puts a worker to sleep. A channel is better than a futex here: the
// scheduler hands the processor on at once, while it takes at least 20 µs to take
// a processor back from a blocking system call. With many connections that would
// be most of a call.
type parker chan struct{}

func newParker() parker { return make(parker, 1) }

// sleep returns after a wake, perhaps one meant for an earlier sleep.
func (p parker) sleep() { <-p }

// wake ends a sleep. It never blocks: if a token is there already, that is enough.
func (p parker) wake() {
	select {
	case p <- struct{}{}:
	default:
	}
}
