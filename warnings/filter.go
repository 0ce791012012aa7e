package warnings

import (
	"regexp"
	"strings"
)

// An Action is what a filter does with a warning.
type Action uint8

// The actions. "Once" and "once per call site" apply to warnings of the same
// category and message; a call site is a file and a line.
const (
	Default Action = iota // show it once per call site
	Always                // show it every time
	Once                  // show it once, wherever it comes from
	Ignore                // drop it
	Error                 // return it from Warn as an error
)

var actions = []string{"default", "always", "once", "ignore", "error"}

// String returns the action's name as used in AIOWARNINGS.
func (a Action) String() string {
	if int(a) < len(actions) {
		return actions[a]
	}
	return "unknown"
}

// A Match limits a filter to some warnings.
type Match func(*filter)

// OfCategory matches one category. It panics if there is no such category.
func OfCategory(c Category) Match {
	known, err := parseCategory(string(c))
	if err != nil {
		panic("warnings: " + err.Error())
	}
	return func(f *filter) { f.category = known }
}

// WithMessage matches messages that contain a match of re.
func WithMessage(re *regexp.Regexp) Match { return func(f *filter) { f.message = re } }

// FromPackage matches warnings whose call site is in the package with that import
// path; "path/..." also matches the packages below it. It costs a walk of the stack
// for each warning that passes the filter's other matches.
func FromPackage(path string) Match {
	pkg, below := strings.CutSuffix(path, "/...")
	if path == "..." {
		pkg = ""
	}
	return func(f *filter) { f.pkg, f.below = pkg, below }
}

// Filter adds a filter before all others. The first filter that matches a warning
// decides; if none does, Default applies. A filter matches if all its matches do, so
// a filter without any matches every warning. undo removes the filter. It may be
// called from any goroutine, more than once, and in any order with others.
func Filter(action Action, match ...Match) (undo func()) {
	return add(func(s *state) *[]*filter { return &s.filters }, newFilter(action, match))
}

// A filter is immutable.
type filter struct {
	action   Action
	category Category       // "" matches all
	message  *regexp.Regexp // nil matches all
	pkg      string         // "" matches all
	below    bool           // also match packages below pkg
}

func newFilter(action Action, match []Match) *filter {
	f := &filter{action: action}
	for _, m := range match {
		if m != nil {
			m(f)
		}
	}
	return f
}

// matches asks for the site last, and only if the answer depends on it.
func (f *filter) matches(c Category, message string, p *place) bool {
	if f.category != "" && f.category != c || f.message != nil && !f.message.MatchString(message) {
		return false
	}
	if f.pkg == "" {
		return true
	}
	pkg := p.get().Package()
	return pkg == f.pkg || f.below && within(pkg, f.pkg)
}

// A place is a site that is looked up on demand.
type place struct {
	site  Site
	known bool // looked up, though perhaps not found
}

func (p *place) get() Site {
	if !p.known && p.site.IsZero() {
		p.site = Caller()
	}
	p.known = true
	return p.site
}
