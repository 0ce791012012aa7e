package warnings

// ParseEnv returns the number of valid entries of AIOWARNINGS, and an error for each of
// the others.
func ParseEnv(value string) (int, []error) {
	filters, malformed := parseEnv(value)
	return len(filters), malformed
}

// WithEnv sets filters as AIOWARNINGS=value would, after the existing ones.
func WithEnv(t TB, value string) {
	filters, _ := parseEnv(value)
	var before []*filter
	change(func(s *state) {
		before = s.filters
		s.filters = append(append([]*filter(nil), before...), filters...)
	})
	t.Cleanup(func() { change(func(s *state) { s.filters = before }) })
}

var (
	IsApp     = isApp
	PackageOf = packageOf
)

// Memory is a memory of numbers.
type Memory struct{ m memory }

func (m *Memory) Has(n int) bool { return m.m.has(key{line: n}, false) }
func (m *Memory) Add(n int) bool { return !m.m.has(key{line: n}, true) }
func (m *Memory) Len() int       { return len(m.m.recent) + len(m.m.old) }

const MaxKeys = maxKeys

// Forget makes the handler see repeats again.
func Forget() { shown.clear() }
