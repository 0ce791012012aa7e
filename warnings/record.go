package warnings

import (
	"slices"
	"sync"
)

// TB is what Record needs of a test: *testing.T, *testing.B and *testing.F have it.
type TB interface {
	Helper()        // as testing.TB has it
	Cleanup(func()) // ends the recording
}

// A Recording holds the warnings that were shown during a test. Its methods are
// safe for concurrent use.
type Recording struct {
	seen memory // what it has been given, for Default and Once

	mu       sync.Mutex
	warnings []Warning // guarded by mu
}

// Record collects the warnings to be shown until t ends; the handler gets none.
// What was shown before does not count for a recording, nor the other way round,
// so each sees the first of its time. Filters stay as they are.
//
// A recording is of the whole process: of tests that run in parallel, each
// collects the others' warnings with its own and misses none. Such
// tests pick theirs, by Matching or by the statement, or do not run in parallel.
func Record(t TB) *Recording {
	t.Helper()
	r := &Recording{}
	change(func(s *state) { s.recordings = append(slices.Clip(s.recordings), r) })
	t.Cleanup(func() {
		change(func(s *state) {
			s.recordings = slices.DeleteFunc(slices.Clone(s.recordings), func(o *Recording) bool { return o == r })
		})
	})
	return r
}

// All returns the warnings so far, the first one first.
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

// Reset forgets the warnings so far, also that they were shown.
func (r *Recording) Reset() {
	r.seen.clear()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = nil
}

func (r *Recording) add(w Warning) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.warnings = append(r.warnings, w)
}
