package overlay

import (
	"time"
)

// Stats are an Engine's calls and lanes.
type Stats struct {
	Lanes     int           // open
	Idle      int           // of these, without a call
	Queued    int           // calls that wait
	Run       int64         // calls that lanes have begun, ever
	Refused   int64         // calls refused, ever: the queue was full, or the engine closed
	Withdrawn int64         // calls cancelled before they began, ever
	Waiting   time.Duration // how long the calls begun have waited; those for which a lane was idle not at all
}

func (p *pool) snapshot() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Run = p.ran.Load()
	s.Lanes, s.Idle, s.Queued = len(p.lanes), len(p.idle), p.length
	return s
}
