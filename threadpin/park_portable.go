//go:build !linux || threadpin_portable

package threadpin

// parker puts a worker to sleep in a channel.
type parker struct{ token chan struct{} }

func (p *parker) init() { p.token = make(chan struct{}, 1) }

// sleep returns after a wake, perhaps one meant for an earlier sleep.
func (p *parker) sleep() { <-p.token }

// wake ends a sleep. It never blocks: one token is as good as two.
func (p *parker) wake() {
	select {
	case p.token <- struct{}{}:
	default:
	}
}
