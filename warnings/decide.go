package warnings

import "github.com/sqlaio/sqlaio/internal/sqltext"

// statementLength is the most bytes of a statement that a warning shows.
const statementLength = 200

// Decide returns what Warn would do with a warning of that category and message:
// Ignore if it would drop it, Error if it would return it, and any other action if
// it would show it. A zero site means the call in progress, which is looked up only
// if the answer depends on it. Decide allocates nothing and records nothing, so two
// concurrent callers may both be told that the warning would be shown.
func Decide(c Category, message string, site Site) Action {
	reportEnv()
	s := current.Load()
	p := place{site: site}
	a := s.action(known(c), message, &p)
	if a != Default && a != Once {
		return a
	}
	k := keyOf(a, c, message, &p)
	for _, to := range s.audience() {
		if !to.seen.has(k, false) {
			return a
		}
	}
	return Ignore
}

// Warn passes w through the filters, and shows it if they say so. It returns w as an
// error only if a filter says Error; the caller must then not do what it warned of.
// If w has no site, Warn sets it to that of the call in progress, and it shortens
// w's statement. Warn waits for the handler. Do not change w afterwards or pass it
// to Warn again.
func Warn(w Warning) error {
	if w != nil && give(w, Error) == Error {
		return w
	}
	return nil
}

// Show is Warn for a warning that has no call left to fail, such as one about
// something the garbage collector found: where a filter says Error, w is shown
// once per call site.
func Show(w Warning) {
	if w != nil {
		give(w, Default)
	}
}

// give applies the filters to w and returns the action taken. Where they say Error,
// the action is onError.
func give(w Warning, onError Action) Action {
	reportEnv()
	s := current.Load()
	d, c := w.Details(), known(w.Category())
	p := place{site: d.Site}
	a := s.action(c, d.Message, &p)
	if a == Error {
		a = onError
	}
	if a == Ignore {
		return a
	}
	d.Site = p.get()
	d.Statement = sqltext.Shorten(d.Statement, statementLength)
	if a == Error {
		return a
	}
	k := keyOf(a, c, d.Message, &p)
	for _, to := range s.audience() {
		if a == Always || !to.seen.has(k, true) {
			to.take(w)
		}
	}
	return a
}

func keyOf(a Action, c Category, message string, p *place) key {
	k := key{action: a, category: c, message: message}
	if a == Default {
		f := frameOf(p.get().pc)
		k.file, k.line = f.file, f.line
	}
	return k
}
