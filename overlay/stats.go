package overlay

import (
	"time"
)

// Stats are an Engine's calls and lanes.
type Stats struct {
	Lanes     int           // with a connection; an idle lane gives it back after 100 ms
	Idle      int           // of these, without a call
	Queued    int           // calls that wait
	Run       int64         // calls that lanes have begun, ever
	Refused   int64         // calls refused, ever: the queue was full, or the engine closed
	Withdrawn int64         // calls cancelled before they began, ever
	Waiting   time.Duration // how long the calls begun have waited; those for which a lane was idle not at all

	Groups     int64         // groups that the writer has committed, ever, those of one call too; see WithWriter
	Members    int64         // calls in them
	Largest    int           // calls in the largest of them
	Committing time.Duration // how long their COMMITs took; of a statement alone, which commits by itself, all of its time
	RunsAgain  int64         // calls that were run again, since another one had cost their transaction
}

// Stats returns how the lanes and the queue are doing. Connections made by
// ConnectAsync are not in it.
func (e *Engine) Stats() Stats {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	s := e.queue.stats
	s.Run = e.ran.Load()
	s.Lanes, s.Idle, s.Queued = len(e.lanes), len(e.idle), e.calls.length
	if e.writer != nil {
		e.writer.addTo(&s)
	}
	return s
}
