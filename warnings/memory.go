package warnings

import (
	"strings"
	"sync"
)

// A key identifies equal warnings. File and line are set only for Default.
type key struct {
	action   Action
	category Category
	message  string
	file     string
	line     int
}

// The bounds of a memory: it holds at most 2 × maxKeys keys, with messages of at
// most maxMessage bytes.
const (
	maxKeys    = 2048
	maxMessage = 256
)

// A memory remembers at least the last maxKeys keys that were added or asked for.
// When recent is full, old is forgotten and recent becomes old. The zero memory is
// empty. A memory is safe for concurrent use.
type memory struct {
	mu          sync.Mutex
	recent, old map[key]struct{} // guarded by mu
}

// has reports whether k is remembered, and adds it if add is set.
func (m *memory) has(k key, add bool) bool {
	k.message = k.message[:min(len(k.message), maxMessage)]
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.recent[k]; ok {
		return true
	}
	_, found := m.old[k]
	if !found && !add {
		return false
	}
	if len(m.recent) >= maxKeys {
		m.recent, m.old = nil, m.recent
	}
	if m.recent == nil {
		m.recent = make(map[key]struct{})
	}
	k.message = strings.Clone(k.message) // the whole message may be large
	m.recent[k] = struct{}{}
	return found
}

// clear forgets everything.
func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.old = nil, nil
}
