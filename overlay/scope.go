package overlay

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// A scope is one WithTx or WithNested, from the beginning of its transaction to
// the end. It commits only if all that was done in it has succeeded, or somebody
// has looked at what failed.
type scope struct {
	s     *session
	level *level

	mu       sync.Mutex
	underway map[*core]struct{} // guarded by mu: calls that have not ended
	failed   []*core            // guarded by mu: calls that have failed
}

type scopeKey struct{}

// mark returns ctx with the scope in it.
func (sc *scope) mark(ctx context.Context) context.Context {
	return context.WithValue(ctx, scopeKey{}, sc)
}

// scopeOf returns the scope that a context belongs to; nil if to none.
func scopeOf(ctx context.Context) *scope {
	if ctx == background {
		return nil
	}
	sc, _ := ctx.Value(scopeKey{}).(*scope)
	return sc
}

// open has the session's calls be made in the scope, close no longer. Scopes of several
// goroutines may overlap.
func (sc *scope) open() {
	sc.s.mu.Lock()
	defer sc.s.mu.Unlock()
	sc.s.scopes = append(sc.s.scopes, sc)
}

func (sc *scope) close() {
	sc.s.mu.Lock()
	defer sc.s.mu.Unlock()
	sc.s.scopes = slices.DeleteFunc(sc.s.scopes, func(other *scope) bool { return other == sc })
}

func (sc *scope) enter(f *core) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	if sc.underway == nil {
		sc.underway = make(map[*core]struct{})
	}
	sc.underway[f] = struct{}{}
}

func (sc *scope) leave(f *core, err error) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	delete(sc.underway, f)
	if err != nil {
		sc.failed = append(sc.failed, f)
	}
}

// stop cancels the calls that are still under way, waits for their ends, and returns
// them.
func (sc *scope) stop() (stopped []*core) {
	sc.mu.Lock()
	for f := range sc.underway {
		stopped = append(stopped, f)
	}
	sc.mu.Unlock()
	for _, f := range stopped {
		f.stop(context.Canceled)
	}
	for _, f := range stopped {
		<-f.done()
	}
	return stopped
}

// verdict returns why the scope must not commit although its function has returned
// nil: a call was still under way, or one has failed and nobody has looked at it.
func (sc *scope) verdict() error {
	stopped := sc.stop()
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, f := range sc.failed {
		if !f.seen.Load() && !slices.Contains(stopped, f) {
			f.see()
			return f.err
		}
	}
	if len(stopped) > 0 {
		stopped[0].see()
		return fmt.Errorf("%w (started at %v)", errStillUnderway, stopped[0].place)
	}
	return nil
}

// wait notes that the scope waits for another connection of the engine's, unless
// it would wait for its own. waited takes it back. It needs the leases' mutex.
func (sc *scope) wait(s *leases) bool {
	sc.s.waits.Add(1)
	if _, holds := s.conns[sc.s]; holds && s.stuck() {
		sc.s.waits.Add(-1)
		return false
	}
	return true
}

func (sc *scope) waited() { sc.s.waits.Add(-1) }
