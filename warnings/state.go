package warnings

import (
	"os"
	"sync"
	"sync/atomic"
)

// A state is all that has been set. It is never changed: whoever warns reads one
// without a lock, and change puts another in its place.
type state struct {
	filters    []*filter        // the latest first
	recordings []*Recording     // under way
	handlers   []*func(Warning) // the latest last
}

var (
	current  atomic.Pointer[state]
	changing sync.Mutex // held by change

	// shown remembers what the handler has been given.
	shown memory
)

func init() {
	filters, malformed := parseEnv(os.Getenv(EnvVar))
	current.Store(&state{filters: filters})
	if len(malformed) > 0 {
		unreported.Store(&malformed)
	}
}

// change gives fn a copy of the state to change, and sets that.
func change(fn func(*state)) {
	changing.Lock()
	defer changing.Unlock()
	next := *current.Load()
	fn(&next)
	current.Store(&next)
}

// action returns what the first filter that matches says.
func (s *state) action(c Category, message string, p *place) Action {
	for _, f := range s.filters {
		if f.matches(c, message, p) {
			return f.action
		}
	}
	return Default
}
