package warnings

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An Action is what a filter has done with a warning.
type Action uint8

// The actions. "Once" and "once per call site" mean warnings of the same
// category and message; a call site is a file and a line.
const (
	Default Action = iota // show it once per call site
	Always                // show it every time
	Once                  // show it once, wherever it comes from
	Ignore                // drop it
	Error                 // do not show it: Warn returns it as an error
)

var actions = []string{"default", "always", "once", "ignore", "error"}

// String returns the name, as AIOWARNINGS has it.
func (a Action) String() string {
	if int(a) < len(actions) {
		return actions[a]
	}
	return "unknown"
}

// A Match limits a filter to some warnings.
type Match func(*filter)

// OfCategory matches one category.
func OfCategory(c Category) Match { return func(f *filter) { f.category = c } }

// WithMessage matches messages in which re is found. The answers for the first 64
// messages are remembered, so that the same ones are not searched again.
func WithMessage(re *regexp.Regexp) Match {
	p := &pattern{re: re}
	return func(f *filter) { f.message = p }
}

// FromPackage matches warnings whose call site is in the package with that import
// path; "path/..." also matches the packages below. A warning from which only
// this can tell costs a look at the stack.
func FromPackage(path string) Match {
	return func(f *filter) {
		f.pkg, f.below = strings.CutSuffix(path, "/...")
		f.anywhere = path == "..."
	}
}

// Filter adds a filter in front of the others: the first that matches decides,
// and a warning none matches is treated by Default. All of the matches
// must hold; with none, every warning matches. undo takes this filter away; it
// may be called in any order with others', from any goroutine, and twice.
func Filter(action Action, match ...Match) (undo func()) {
	f := newFilter(action, match)
	change(func(s *state) { s.filters = slices.Insert(slices.Clone(s.filters), 0, f) })
	return sync.OnceFunc(func() {
		change(func(s *state) {
			s.filters = slices.DeleteFunc(slices.Clone(s.filters), func(g *filter) bool { return g == f })
		})
	})
}

// A filter is never changed once it is among the others.
type filter struct {
	action   Action
	category Category // "" for every one
	message  *pattern // nil for every one
	pkg      string   // "" for every one
	below    bool     // packages below pkg too
	anywhere bool     // pkg was "..."
}

func newFilter(action Action, match []Match) *filter {
	f := &filter{action: action}
	for _, m := range match {
		if m != nil {
			m(f)
		}
	}
	if f.anywhere {
		f.pkg = ""
	}
	return f
}

// matches asks for the site last, and only if the answer depends on it.
func (f *filter) matches(c Category, message string, p *place) bool {
	if f.category != "" && f.category != c {
		return false
	}
	if f.message != nil && !f.message.matches(message) {
		return false
	}
	return f.pkg == "" || f.matchesPackage(p.get().Package())
}

func (f *filter) matchesPackage(pkg string) bool {
	rest, ok := strings.CutPrefix(pkg, f.pkg)
	return ok && (rest == "" || f.below && rest[0] == '/')
}

// A place is a site that is looked for when somebody asks.
type place struct {
	site  Site
	known bool // it has been looked for, though maybe in vain
}

func (p *place) get() Site {
	if !p.known && p.site.IsZero() {
		p.site = caller()
	}
	p.known = true
	return p.site
}
