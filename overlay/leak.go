package overlay

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"weak"

	"github.com/sqlaio/sqlaio/overlay/internal/leaks"
	"github.com/sqlaio/sqlaio/warnings"
)

func init() {
	leaks.Option = func(heard func(warnings.Warning)) any {
		return Option(func(c *config) { c.heard = heard })
	}
}

// The cleanups below may reach the application through the engine's dispatcher, and
// from there what they watch over, which then is never collected. So each is
// stopped when there is nothing left to warn about.

// warn warns about something of the engine's.
func (c *config) warn(w warnings.Warning) { warn(c.heard, w) }

func warn(heard func(warnings.Warning), w warnings.Warning) {
	warnings.Show(w) // no call is left to fail
	if heard != nil {
		heard(w)
	}
}

// site is a line of the application.
type site = warnings.Site

// caller returns the line of the application that makes the call, if places are
// kept.
func caller(c *config) site {
	if c.noSites {
		return site{}
	}
	return warnings.Caller()
}

// unseen outlives a future that has failed, to tell whether anybody looked.
type unseen struct {
	looked atomic.Bool
	err    error
	place  site
	// statement is the call's; empty if it is none.
	statement string
	heard     func(warnings.Warning) // the config's; the config itself would reach the future
	cleanup   runtime.Cleanup
}

func (u *unseen) look() {
	if u.looked.CompareAndSwap(false, true) {
		u.cleanup.Stop()
	}
}

// watchError has a future warn that is collected before anybody has looked at its
// error. That a call was cancelled is no news.
func (f *core) watchError() *unseen {
	if f.err == nil || f.quiet || errors.Is(f.err, context.Canceled) || errors.Is(f.err, context.DeadlineExceeded) {
		return nil
	}
	u := &unseen{err: f.err, place: f.place, statement: f.statement(), heard: f.origin.heard}
	u.cleanup = runtime.AddCleanup(f, warnUnawaited, u)
	return u
}

// statement is that of the call that has failed; empty if that is none, or not known.
func (f *core) statement() (text string) {
	switch c := f.cancel.(type) {
	case *call:
		if c.statement {
			return c.describe
		}
	case group:
		failed := 0
		for _, part := range c {
			if part.settled.Load() && part.err != nil {
				failed++
				text = part.statement()
			}
		}
		if failed > 1 {
			return ""
		}
	}
	return text
}

func warnUnawaited(u *unseen) {
	if u.looked.Load() {
		return
	}
	warn(u.heard, &warnings.UnawaitedWarning{
		Info: warnings.Info{
			Message:   "a future has failed and nobody looked at its error",
			Advice:    "call Await, TryResult or OnDone on every future",
			Statement: u.statement,
			Site:      u.place,
		},
		Err: u.err,
	})
}

// warnResource warns of what was made at place, by a statement if there is one.
func (c *config) warnResource(message, advice, statement string, place site) {
	c.warn(&warnings.ResourceWarning{Info: warnings.Info{Message: message, Advice: advice, Statement: statement, Site: place}})
}

// newConn makes the Conn of a session, which is closed when the Conn is collected.
func newConn(s *session) *Conn {
	c := &Conn{s: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending != nil {
		return c
	}
	s.cleanup = runtime.AddCleanup(c, func(s *session) {
		s.mu.Lock()
		left := s.ending == nil
		s.mu.Unlock()
		if left {
			s.config.warnResource("a connection was left open", "call CloseAsync, or use WithConn", "", s.place)
			s.closeAsync()
		}
	}, s)
	return c
}

// newTx makes the Tx of a level on the thread. The level is rolled back when the
// Tx is collected while it is open.
func newTx(c *Conn, v *level) *Tx {
	t := &Tx{conn: c, level: v}
	s := c.s
	v.user = weak.Make(t)
	s.lane.tx.set(s.lane.tx.levels) // with its place
	v.cleanup = runtime.AddCleanup(t, func(v *level) {
		if !v.over.Load() && !s.isClosed() {
			s.config.warnResource("a transaction was left open", "call CommitAsync, RollbackAsync or CloseAsync, or use WithTx", "", v.place)
			o := callOptions{kind: ending, quiet: true, tidy: true, place: v.place, describe: "ROLLBACK"}
			start(background, s.queue, o, func(_ context.Context, l *lane) (struct{}, error) {
				return struct{}{}, l.endIfOpen(v)
			})
		}
	}, v)
	return t
}

// watchLeak has a stream end with its Result.
func (r *Result) watchLeak() {
	st := r.stream
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil || st.closing != nil {
		return
	}
	st.cleanup = runtime.AddCleanup(r, func(st *stream) {
		st.mu.Lock()
		left := st.err == nil && st.closing == nil
		st.mu.Unlock()
		if left {
			st.s.config.warnResource("a stream was left open", "read it to its end, or call CloseAsync", st.query, st.place)
			st.closeAsync(ErrClosed, true)
		}
	}, st)
}
