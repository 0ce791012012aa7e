package warnings

// A Verdict is what would become of a warning.
type Verdict uint8

// The verdicts.
const (
	Drop   Verdict = iota // nobody would hear of it
	Show                  // the handler, or a recording, would get it
	Refuse                // Warn would return it as an error
)

// String returns the verdict's name.
func (v Verdict) String() string {
	switch v {
	case Drop:
		return "drop"
	case Show:
		return "show"
	case Refuse:
		return "refuse"
	}
	return "unknown"
}

// Decide tells what Warn would do with a warning of that category and message, so
// that one nobody wants need not be made. A zero site stands for the call in
// progress, and is looked for only if the answer depends on it. Decide allocates
// nothing, and remembers nothing: of two callers at once both may hear Show.
func Decide(c Category, message string, site Site) Verdict {
	reportEnv()
	s := current.Load()
	p := place{site: site}
	switch a := s.action(c, message, &p); a {
	case Ignore:
		return Drop
	case Error:
		return Refuse
	case Always:
		return Show
	default:
		if s.isNew(keyOf(a, c, message, &p)) {
			return Show
		}
		return Drop
	}
}

// Warn gives w to the filters, and to the handler or the recordings under way if
// they want it shown. It returns w, as an error, only if a filter says Error: the
// caller then does not do what it warned of. If w has no site yet, Warn sets it
// to that of the call in progress. w must not be changed afterwards, nor be given
// again. The handler has returned when Warn does.
func Warn(w Warning) error {
	if w == nil {
		return nil
	}
	reportEnv()
	s := current.Load()
	d, c := w.Details(), w.Category()
	p := place{site: d.Site}
	a := s.action(c, d.Message, &p)
	if a == Ignore {
		return nil
	}
	d.Site = p.get()
	if a == Error {
		return w
	}
	s.show(w, a, keyOf(a, c, d.Message, &p))
	return nil
}

func keyOf(a Action, c Category, message string, p *place) key {
	k := key{action: a, category: c, message: message}
	if a == Default {
		f := p.get().frame()
		k.file, k.line = f.file, f.line
	}
	return k
}

// isNew reports whether somebody is left who has not been shown k.
func (s *state) isNew(k key) bool {
	if len(s.recordings) == 0 {
		return !shown.has(k)
	}
	for _, r := range s.recordings {
		if !r.seen.has(k) {
			return true
		}
	}
	return false
}

// show gives w to everybody who is to have it.
func (s *state) show(w Warning, a Action, k key) {
	if len(s.recordings) == 0 {
		if a == Always || shown.add(k) {
			s.handler()(w)
		}
		return
	}
	for _, r := range s.recordings {
		if a == Always || r.seen.add(k) {
			r.add(w)
		}
	}
}
