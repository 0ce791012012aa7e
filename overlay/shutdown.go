package overlay

import (
	"context"
)

// Shutdown refuses new calls with ErrClosed and waits until those that wait or run
// are done and all connections made by ConnectAsync are closed. When ctx
// ends, waiting calls are refused, running ones interrupted, and what is open is
// closed; Shutdown then returns ctx.Err(). If Open opened the database it
// is closed. A later Shutdown waits for the first one. On the thread of one of the
// engine's connections, in a callback say, it would wait for itself: there it does
// nothing and returns ErrWouldDeadlock.
func (e *Engine) Shutdown(ctx context.Context) error {
	if e.onOwnThread() {
		return ErrWouldDeadlock
	}
	e.mu.Lock()
	if e.done != nil {
		done := e.done
		e.mu.Unlock()
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	done := make(chan struct{})
	e.done = done
	e.mu.Unlock()
	defer close(done)

	e.close(ErrClosed)
	err := e.drain(ctx)
	if err != nil {
		e.force()
	}
	e.cancel()
	e.awaitConnecting(ctx)
	<-e.drained()
	e.pool.mu.Lock()
	idle := append([]*lane(nil), e.idle...)
	for _, l := range idle {
		e.drop(l)
	}
	e.pool.mu.Unlock()
	for _, l := range idle {
		l.sc.Close()
	}
	if e.owns {
		if closing := e.db.Close(); err == nil {
			err = closing
		}
	}
	return err
}

// onOwnThread reports whether the caller is on the thread of a lane or a Conn.
func (e *Engine) onOwnThread() bool {
	e.pool.mu.Lock()
	lanes := e.pool.lanes
	e.pool.mu.Unlock()
	for _, l := range lanes { // replaced, never changed in place
		if l.w.OnThread() {
			return true
		}
	}
	for _, s := range e.open() {
		if s.lane.w.OnThread() {
			return true
		}
	}
	return false
}

// awaitConnecting waits for those who were connecting: they have no use for the
// connection any more, and close it.
func (e *Engine) awaitConnecting(ctx context.Context) {
	over := make(chan struct{})
	go func() { e.connecting.Wait(); close(over) }()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// drain waits for the calls and for the connections.
func (e *Engine) drain(ctx context.Context) error {
	select {
	case <-e.drained():
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, s := range e.open() {
		select {
		case <-s.over:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// force ends whatever is under way.
func (e *Engine) force() {
	e.cancel() // whoever is connecting
	e.stopAll(ErrClosed)
	e.pool.mu.Lock()
	var lent []*feed
	for f := range e.lent {
		lent = append(lent, f)
	}
	e.pool.mu.Unlock()
	for _, f := range lent {
		f.pool.stopAll(ErrClosed)
		f.closeAsync()
	}
	for _, s := range e.open() {
		s.stopAll(ErrClosed)
		s.closeAsync()
		<-s.over
	}
}

func (e *Engine) open() []*session {
	e.mu.Lock()
	defer e.mu.Unlock()
	open := make([]*session, 0, len(e.sessions))
	for s := range e.sessions {
		open = append(open, s)
	}
	return open
}
