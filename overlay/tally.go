package overlay

import (
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What an engine counts for those who look at it, see package overlay/debug. A call
// costs no reading of the clock that the queue does not need itself, and two additions.

var epoch = time.Now()

// now is time.Now at half the price: it reads only the monotonic clock.
func now() time.Time { return epoch.Add(time.Since(epoch)) }

// begun is when a lane took the call. It needs the queue's mutex, or to be the lane.
func (c *call) begun() time.Time { return c.since.Add(c.waited) }

// ended counts the call that the lane has done.
func (q *queue) ended(l *lane, at time.Time) {
	if c := l.done; c != nil {
		l.done = nil
		c.count(at)
	}
}

// count counts a call that has ended. It is called on the thread of the lane.
func (c *call) count(at time.Time) {
	ran := at.Sub(c.begun())
	c.q.config.runs.add(ran)
	if ran >= slowAfter {
		c.q.config.slow.add(slowCall{
			describe: strings.Clone(c.describe[:min(len(c.describe), slowText)]), statement: c.statement, place: c.place,
			at: at, waited: c.waited, ran: ran, failed: c.failed, stopped: c.stopped() != nil,
		})
	}
}

// A histogram counts durations by powers of two: counts[0] those below 1 µs, counts[i]
// those from 2^(i-1) to 2^i µs, and the last one all that are longer.
type histogram struct{ counts [28]atomic.Int64 }

func (h *histogram) add(d time.Duration) {
	i := bits.Len64(uint64(max(d, 0) / time.Microsecond))
	h.counts[min(i, len(h.counts)-1)].Add(1)
}

const (
	// slowAfter is how long a call must run to be kept among the slow ones.
	slowAfter = 100 * time.Millisecond
	slowText  = 4096 // bytes of a statement that are kept
)

// slowCalls are the last slow calls.
type slowCalls struct {
	mu    sync.Mutex
	calls [32]slowCall // guarded by mu: a ring
	n     int          // guarded by mu: how many there were
}

// A slowCall keeps nothing of its call alive but a piece of its text.
type slowCall struct {
	describe        string
	statement       bool // describe is one
	place           site
	at              time.Time // when it ended
	waited, ran     time.Duration
	failed, stopped bool
}

func (s *slowCalls) add(c slowCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[s.n%len(s.calls)] = c
	s.n++
}

// last returns them, the last one first, and how many there were.
func (s *slowCalls) last() (last []slowCall, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.n - 1; i >= 0 && i >= s.n-len(s.calls); i-- {
		last = append(last, s.calls[i%len(s.calls)])
	}
	return last, s.n
}
