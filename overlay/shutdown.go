package overlay

import (
	"context"
	"fmt"
	"strings"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// Shutdown refuses new calls with ErrClosed and waits until those that wait or run
// are done and all connections made by ConnectAsync are closed. When ctx ends,
// waiting calls are refused, running ones stopped, and what is open is closed;
// Shutdown then returns, at once or some 100 ms later, an error that wraps ctx.Err()
// and lists what was still open, with its place. What does not end then, such as a
// function that ignores its context, is cleaned up when it does. If Open opened
// the database it is closed. A later Shutdown waits for the first one. On the
// thread of one of the engine's connections, or called by its dispatcher, it would
// wait for itself: there it does nothing and returns ErrWouldDeadlock.
func (e *Engine) Shutdown(ctx context.Context) error {
	if e.onOwnThread() || e.config.onDispatcher() {
		return ErrWouldDeadlock
	}
	after, err := waits(ctx, "Engine.Shutdown")
	if err != nil {
		return err
	}
	defer after()
	e.mu.Lock()
	done, first := e.done, e.done == nil
	if first {
		done = make(chan struct{})
		e.done = done
	}
	e.mu.Unlock()
	if !first {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return e.unfinished(ctx.Err())
		}
	}
	for _, q := range e.queues() {
		q.close(ErrClosed)
	}
	var closing error
	go func() {
		defer close(done)
		closing = e.finish()
	}()
	select {
	case <-done:
		return closing
	case <-ctx.Done():
	}
	err = e.unfinished(ctx.Err())
	e.force()
	late, cancel := context.WithTimeout(background, pinned.Grace)
	defer cancel()
	select {
	case <-done:
	case <-late.Done():
	}
	return err
}

// finish waits for the calls and for the connections, and gives all back.
func (e *Engine) finish() error {
	e.drain()
	e.connecting.Wait()
	for _, s := range e.open() {
		<-s.over
	}
	e.cancel()
	e.drain()
	for _, q := range e.queues() {
		q.mu.Lock()
		if q.timer != nil {
			q.timer.Stop()
		}
		q.mu.Unlock()
	}
	e.releaseIdle(0)
	if busy := e.config.undispatched(); busy != nil {
		<-busy
	}
	if !e.owns {
		return nil
	}
	if err := e.db.Close(); !isBad(err) { // of a connection that was lost
		return err
	}
	return nil
}

// drain waits until none of the engine's own calls waits or runs.
func (e *Engine) drain() {
	for _, q := range e.queues() {
		<-q.drained()
	}
}

// force ends whatever is under way.
func (e *Engine) force() {
	e.cancel() // whoever is connecting
	for _, q := range e.queues() {
		q.stopAll(ErrClosed)
	}
	for _, s := range e.open() {
		s.closeAsync()
		s.stopAll(ErrClosed)
	}
}

// unfinished returns the error of a Shutdown that did not wait for the end: what
// is open, and where it was made.
func (e *Engine) unfinished(cause error) error {
	var left []string
	for _, q := range e.queues() {
		for _, c := range q.underway() {
			left = append(left, c.text())
		}
	}
	e.mu.Lock()
	for _, place := range e.makes {
		left = append(left, "connecting"+at(place))
	}
	e.mu.Unlock()
	for _, s := range e.open() {
		left = append(left, "a connection"+at(s.place))
		s.mu.Lock()
		for _, v := range s.levels {
			left = append(left, "a transaction"+at(v.place))
		}
		for st := range s.streams {
			left = append(left, "a stream"+at(st.place))
		}
		s.mu.Unlock()
		for _, c := range s.queue.underway() {
			left = append(left, c.text())
		}
	}
	if e.config.undispatched() != nil {
		left = append(left, "functions for the dispatcher, which has not returned")
	}
	if len(left) == 0 {
		return cause
	}
	return fmt.Errorf("overlay: Shutdown: %w; still open: %s", cause, strings.Join(left, ", "))
}

// text describes a call that waits or runs.
func (c *call) text() string {
	state := "waiting"
	switch {
	case c.phase.Load() == running:
		state = "running"
	case c.phase.Load() == over:
		state = "left"
	}
	return fmt.Sprintf("%s (%s)%s", sqltext.Shorten(c.describe, 60), state, at(c.place))
}

func at(place site) string {
	if place.IsZero() {
		return ""
	}
	return " from " + place.String()
}

// onOwnThread reports whether the caller is on the thread of a lane or a Conn.
func (e *Engine) onOwnThread() bool { return e.waiter() != nil }

func (e *Engine) open() []*session {
	e.mu.Lock()
	defer e.mu.Unlock()
	open := make([]*session, 0, len(e.sessions))
	for s := range e.sessions {
		open = append(open, s)
	}
	return open
}
