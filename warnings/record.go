package warnings

import (
	"slices"
	"sync"
)

// TB is the part of testing.TB that Record needs.
type TB interface {
	Helper()        // as in testing.TB
	Cleanup(func()) // registers a function that ends the recording
}

// A Recording collects the warnings that are shown during a test. Its methods are
// safe for concurrent use.
type Recording struct {
	seen memory // what it was shown, for Default and Once

	mu       sync.Mutex
	warnings []Warning // guarded by mu
}

// Record collects the warnings shown until t ends, in place of the handler. Filters
// still apply, but what was shown before or elsewhere does not count as a repeat.
//
// A recording covers the whole process: tests that run in parallel record each
// other's warnings too. Such a test must pick its own, with Matching or by the
// statement.
func Record(t TB) *Recording {
	t.Helper()
	r := &Recording{}
	t.Cleanup(add(func(s *state) *[]*sink { return &s.recordings }, &sink{&r.seen, r.take}))
	return r
}

// All returns the warnings so far, oldest first.
func (r *Recording) All() []Warning {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.warnings)
}

// Matching returns those of All that a filter with these matches would match.
func (r *Recording) Matching(match ...Match) []Warning {
	f := newFilter(Default, match)
	return slices.DeleteFunc(r.All(), func(w Warning) bool {
		d := w.Details()
		return !f.matches(w.Category(), d.Message, &place{site: d.Site, known: true})
	})
}

// Reset forgets the warnings so far, so that repeats of them are recorded again.
func (r *Recording) Reset() {
	r.seen.clear()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = nil
}

func (r *Recording) take(w Warning) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = append(r.warnings, w)
}
