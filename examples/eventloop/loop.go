package main

import "time"

const (
	interval = 5 * time.Millisecond
	duration = time.Second
	// limit is how late a tick may be.
	limit = 10 * time.Millisecond
	// backlog is more than what is ever posted and not yet done, so that post
	// does not block.
	backlog = 1024
)

// A loop is an event loop: all it does is done in the goroutine that calls run,
// one thing after the other. What takes long delays the rest.
type loop struct {
	posted chan func()
	ticks  int
	late   int           // those later than limit
	worst  time.Duration // how late the worst was
	asked  int           // queries
	open   int           // those without an answer yet
}

func newLoop() *loop { return &loop{posted: make(chan func(), backlog)} }

// post has the loop call fn. It may be called by any goroutine.
func (l *loop) post(fn func()) { l.posted <- fn }

// run calls onTick at every interval and what is posted in between. It returns when the
// time is over and all queries are answered.
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
