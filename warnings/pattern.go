package warnings

import (
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
)

// A pattern remembers its answers: a search takes longer than a warning that
// is dropped may, and messages are few.
type pattern struct {
	re    *regexp.Regexp
	known atomic.Pointer[map[string]bool] // never changed, but replaced
}

const maxKnown = 64

func (p *pattern) matches(message string) bool {
	known := p.known.Load()
	if known != nil {
		if found, ok := (*known)[message]; ok {
			return found
		}
	}
	found := p.re.MatchString(message)
	if known == nil || len(*known) < maxKnown {
		p.learn(known, strings.Clone(message), found)
	}
	return found
}

// learn does nothing if somebody else learned something since.
func (p *pattern) learn(known *map[string]bool, message string, found bool) {
	next := map[string]bool{message: found}
	if known != nil {
		maps.Copy(next, *known)
	}
	p.known.CompareAndSwap(known, &next)
}
