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
	s *session

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

// verdict returns why the scope must not commit although its function has
// returned nil: a call is still under way, which is cancelled, or one has failed
// and nobody has looked at it.
func (sc *scope) verdict() error {
	sc.mu.Lock()
	var waiting []*core
	for f := range sc.underway {
		waiting = append(waiting, f)
	}
	sc.mu.Unlock()
	for _, f := range waiting {
		f.stop(context.Canceled)
	}
	for _, f := range waiting {
		<-f.done()
	}
	sc.mu.Lock()
	defer sc.mu.Unlock()
	for _, f := range sc.failed {
		if !f.seen.Load() && !contains(waiting, f) {
			f.see()
			return f.err
		}
	}
	if len(waiting) > 0 {
		waiting[0].see()
		return fmt.Errorf("%w (started at %v)", errStillUnderway, waiting[0].place)
	}
	return nil
}

func contains(fs []*core, f *core) bool {
	for _, g := range fs {
		if f == g {
			return true
		}
	}
	return false
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
