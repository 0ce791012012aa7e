package warnings

import (
	"os"
	"slices"
	"sync"
	"sync/atomic"
)

// A state holds all settings. It is immutable, so that warning takes no lock;
// change replaces it.
type state struct {
	filters    []*filter // latest first
	recordings []*sink   // in progress
	handlers   []*sink   // latest first; the last one is logWarning
}

// A sink is shown warnings.
type sink struct {
	seen *memory // what it was shown, for Default and Once
	take func(Warning)
}

var (
	current  atomic.Pointer[state]
	changing sync.Mutex // held by change

	// shown remembers what handlers were shown.
	shown memory
)

func init() {
	filters, malformed := parseEnv(os.Getenv(EnvVar))
	current.Store(&state{filters: filters, handlers: []*sink{{&shown, logWarning}}})
	if len(malformed) > 0 {
		unreported.Store(&malformed)
	}
}

// change calls fn with a copy of the state, which becomes the current one.
func change(fn func(*state)) {
	changing.Lock()
	defer changing.Unlock()
	next := *current.Load()
	fn(&next)
	current.Store(&next)
}

// add inserts item at the front of one of the state's lists, until undo is called.
func add[T comparable](list func(*state) *[]T, item T) (undo func()) {
	change(func(s *state) {
		l := list(s)
		*l = slices.Insert(slices.Clone(*l), 0, item)
	})
	return sync.OnceFunc(func() {
		change(func(s *state) {
			l := list(s)
			*l = slices.DeleteFunc(slices.Clone(*l), func(other T) bool { return other == item })
		})
	})
}

// audience returns who is shown a warning: the recordings, or the latest handler.
func (s *state) audience() []*sink {
	if len(s.recordings) > 0 {
		return s.recordings
	}
	return s.handlers[:1]
}

// action returns the action of the first filter that matches.
func (s *state) action(c Category, message string, p *place) Action {
	for _, f := range s.filters {
		if f.matches(c, message, p) {
			return f.action
		}
	}
	return Default
}
