package threadpin

import "time"

// Stats describes a worker's work so far, its branches' included.
type Stats struct {
	Queued  int           // calls that wait for the thread
	Run     int64         // calls that have run, each one hop; inline calls don't count
	Waiting time.Duration // what they waited for the thread, in sum
	Running time.Duration // what they ran, in sum
}

// Stats returns the worker's counters. It costs a few atomic loads.
func (w *Worker) Stats() Stats {
	c := w.core
	return Stats{
		Queued:  c.room.waitingCalls(),
		Run:     c.runs.Load(),
		Waiting: time.Duration(c.waited.Load()),
		Running: time.Duration(c.ran.Load()),
	}
}
