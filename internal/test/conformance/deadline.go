package conformance

import (
	"context"
	"sync"
	"time"
)

// A deadline is a context that ends as if its time had come, but when the
// program says so: on a machine that is busy no case may end too early.
type deadline struct {
	context.Context
	done chan struct{}
	once sync.Once
}

func newDeadline() *deadline { return &deadline{Context: background, done: make(chan struct{})} }

func (d *deadline) pass() { d.once.Do(func() { close(d.done) }) }

func (d *deadline) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

func (d *deadline) Done() <-chan struct{} { return d.done }

func (d *deadline) Err() error {
	select {
	case <-d.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}
