package thread

import (
	"slices"
	"time"
)

// Crowd makes the next n parks choose a channel.
func Crowd(n int32) { crowd(n) }

// Hurry makes the worker's next call one that lines up for a permit.
func (w *Worker) Hurry() { w.core.heat.close.Store(2 * streak) }

// Permitted returns how many workers are hot.
func Permitted() int32 { return permits.given.Load() }

// Permits says who has permits and who waits for them, without a worker. It is for one
// test at a time.
type Permits struct {
	heats   []*heat
	tickets map[int]*ticket
}

// NewPermits makes n workers that want permits, of which there are most. No time ends
// their slices until Close.
func NewPermits(n, most int) *Permits {
	for !holdClock() {
		time.Sleep(time.Millisecond)
	}
	permits.closed.Store(0)
	permits.lost.Store(0)
	p := &Permits{tickets: map[int]*ticket{}}
	for range n {
		p.heats = append(p.heats, &heat{spin: 1})
	}
	permits.most.Store(int32(most))
	return p
}

// holdClock keeps revoke from being called. It reports false while a call of it is to come.
func holdClock() bool {
	permits.mu.Lock()
	defer permits.mu.Unlock()
	was := permits.clock
	permits.clock = true
	return !was
}

func (p *Permits) Warm(i int) bool { return p.heats[i].warm() }
func (p *Permits) Cool(i int)      { p.heats[i].cool() }
func (p *Permits) Retire(i int)    { p.heats[i].retire() }
func (p *Permits) Hot(i int) bool  { return p.heats[i].hot.Load() }
func (p *Permits) Enter(i, t int)  { p.tickets[t] = p.heats[i].enter() }
func (p *Permits) Leave(t int)     { p.tickets[t].leave() }

// Granted reports whether a ticket's call may go on.
func (p *Permits) Granted(t int) bool {
	select {
	case <-p.tickets[t].granted:
		return true
	default:
		return false
	}
}

// Revoke takes the permits of all that have them, and gives them to those in line.
func (p *Permits) Revoke() {
	permits.mu.Lock()
	defer permits.mu.Unlock()
	expire(now() + 1)
}

// Consistent reports whether what is read without the lock is what is written with it.
func (p *Permits) Consistent() bool {
	permits.mu.Lock()
	defer permits.mu.Unlock()
	hot := 0
	for _, h := range p.heats {
		if h.hot.Load() != slices.Contains(permits.hot, h) {
			return false
		}
		if h.hot.Load() {
			hot++
		}
	}
	return int(permits.given.Load()) == hot && hot == len(permits.hot) && permits.waiting.Load() == (len(permits.line) > 0)
}

// Close ends all workers, and sets how many permits there are from the processors.
func (p *Permits) Close() {
	for _, h := range p.heats {
		h.retire()
	}
	permits.mu.Lock()
	permits.clock = false
	permits.mu.Unlock()
	countProcessors()
}

// Yields are those of the active waits of one worker, at times that the test chooses.
type Yields struct {
	patience patience
	wait     yields
}

// Begin begins the next wait.
func (y *Yields) Begin() { y.wait = yields{patience: &y.patience} }

// Yielded says when a yield was, after a wait of spent. It returns how long the wait
// has lasted.
func (y *Yields) Yielded(spent time.Duration, from, to int64) time.Duration {
	return y.wait.yielded(spent, from, to)
}

func (y *Yields) Answered()                         { y.wait.answered() }
func (y *Yields) Patience(here int64) time.Duration { return y.patience.get(here) }

// Disturb makes the worker's waits patient, as a long yield does. Disturbed reports whether they
// are.
func (w *Worker) Disturb()        { w.core.heat.patience.grow(now()) }
func (w *Worker) Disturbed() bool { return w.core.heat.patience.long() }

// ShareOver reports whether a caller is to give way, after a pause since the last call.
func (w *Worker) ShareOver(pause time.Duration) bool { return w.core.shareOver(int64(pause)) }

// Computed returns how long callers have computed between calls since one gave way.
func (w *Worker) Computed() time.Duration { return time.Duration(w.core.computed.Load()) }
