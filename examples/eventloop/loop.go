package main

import "time"

const (
	interval = 5 * time.Millisecond
	duration = time.Second
	// limit is how late a tick may be before it counts as late.
	limit = 10 * time.Millisecond
	// backlog is larger than the number of functions that are ever pending, so
	// post does not block.
	backlog = 1024
)

// A loop is an event loop. It does everything in the goroutine that calls run, one
// thing after another, so anything slow delays the rest.
type loop struct {
	posted chan func()
	ticks  int
	late   int           // ticks later than limit
	worst  time.Duration // how late the latest tick was
	asked  int           // queries
	open   int           // queries not yet answered
}

func newLoop() *loop { return &loop{posted: make(chan func(), backlog)} }

// post makes the loop call fn. It is safe to call from any goroutine.
func (l *loop) post(fn func()) { l.posted <- fn }

// run calls onTick at every interval, and posted functions in between. It returns
// after duration, once all queries are answered.
func (l *loop) run(onTick func()) {
	due := time.Now().Add(interval)
	end := due.Add(duration)
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for due.Before(end) || l.open > 0 {
		select {
		case fn := <-l.posted:
			fn()
		case <-timer.C:
			if due.Before(end) {
				l.count(time.Since(due))
				onTick()
			}
			due = due.Add(interval)
			timer.Reset(time.Until(due))
		}
	}
}

func (l *loop) count(late time.Duration) {
	l.ticks++
	l.worst = max(l.worst, late)
	if late > limit {
		l.late++
	}
}
