package warnings

import (
	"strings"
	"sync"
)

// A key is what makes two warnings the same: file and line only count with Default.
type key struct {
	action   Action
	category Category
	message  string
	file     string
	line     int
}

// Bounds of a memory: as many keys as that, twice, of messages of that length.
const (
	maxKeys    = 2048
	maxMessage = 256
)

// A memory remembers the last 2,048 keys at least and 4,096 at most, whatever
// the number of call sites: when recent is full it becomes old, and what was old
// is forgotten, unless asked for since. The zero memory is empty.
type memory struct {
	mu     sync.Mutex
	recent map[key]struct{}
	old    map[key]struct{}
}

// has reports whether k was added and not forgotten yet.
func (m *memory) has(k key) bool {
	k.message = k.message[:min(len(k.message), maxMessage)]
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(k)
}

// add adds k and reports whether it was not there before.
func (m *memory) add(k key) bool {
	k.message = k.message[:min(len(k.message), maxMessage)]
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.find(k) {
		return false
	}
	m.insert(k)
	return true
}

func (m *memory) find(k key) bool {
	if _, ok := m.recent[k]; ok {
		return true
	}
	_, ok := m.old[k]
	if ok {
		delete(m.old, k)
		m.insert(k)
	}
	return ok
}

func (m *memory) insert(k key) {
	if len(m.recent) >= maxKeys {
		m.recent, m.old = nil, m.recent
	}
	if m.recent == nil {
		m.recent = make(map[key]struct{})
	}
	k.message = strings.Clone(k.message) // the rest of it may be large
	m.recent[k] = struct{}{}
}

// clear forgets everything.
func (m *memory) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent, m.old = nil, nil
}
