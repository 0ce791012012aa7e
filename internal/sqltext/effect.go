package sqltext

import "strings"

// ReadsOnly reports whether text is one statement that can change nothing, as
// far as its words tell. It is false if a function is called that is not known, but
// for SQLite, whose functions cannot.
func ReadsOnly(text string, d Dialect) bool {
	return (d == SQLite || onlyKnownCalls(text)) && readsOnly(text)
}

func readsOnly(text string) bool {
	s := New(text, Unknown)
	t := s.NextSignificant()
	switch {
	case t.IsAny("select", "with", "values", "show", "describe"):
	default:
		return false
	}
	if t.Is("select") && !strings.Contains(text, ";") && !mentions(text, "into") {
		return true
	}
	for ended := false; t.Kind != EOF; t = s.Next() {
		switch {
		case t.Doubtful, t.Open, t.IsAny("insert", "update", "delete", "replace", "merge", "into"):
			return false
		case t.Kind == Comment && (strings.HasPrefix(t.Text, "/*!") || strings.HasPrefix(t.Text, "/*M!")):
			return false // MySQL executes it
		case ended && t.Kind != Comment && !t.IsPunct(';'):
			return false
		}
		ended = ended || t.IsPunct(';')
	}
	return true
}

// MayChange reports whether text begins as a statement, or several, can that return
// rows and change something.
func MayChange(text string) bool {
	s := scanControls(text)
	return s.NextSignificant().IsAny("insert", "update", "delete", "replace", "merge", "with", "select", "call", "execute", "exec",
		"begin", "start", "if", "case", "for", "while", "loop", "repeat", "declare", "set", "do", "create", "alter", "drop", "explain", "analyze")
}

// mentions reports whether text contains a word of ASCII letters, or seems to.
func mentions(text, word string) bool {
	for i := 0; i+len(word) <= len(text); i++ {
		if text[i]|0x20 == word[0] && strings.EqualFold(text[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// Several reports whether text may be more than one statement, or calls a procedure.
func Several(text string) bool {
	s := New(text, Unknown)
	if s.NextSignificant().IsAny("call", "execute", "exec") {
		return true
	}
	i := strings.IndexByte(text, ';')
	if i < 0 {
		return false
	}
	if strings.Trim(text[i:], "; \t\r\n") == "" {
		return false
	}
	for t := s.Next(); t.Kind != EOF; t = s.Next() {
		switch {
		case t.Doubtful, t.Open:
			return true
		case t.IsPunct(';'):
			if next := s.NextSignificant(); next.Kind != EOF && !next.IsPunct(';') {
				return true
			}
		}
	}
	return false
}

// A Control is what a text does to the transaction of its session.
type Control uint8

// The controls.
const (
	Keeps     Control = iota // nothing, as far as its words tell
	Begins                   // BEGIN, START TRANSACTION
	Commits                  // COMMIT, END
	RollsBack                // ROLLBACK
	Nests                    // SAVEPOINT, RELEASE, ROLLBACK TO
)

// ControlOf returns what the last of a text's statements that begin or end a
// transaction does. The bodies of routines and blocks are not looked into, nor what
// comes after one: where it ends depends on the dialect.
func ControlOf(text string) Control {
	last := Keeps
	s := scanControls(text)
	for {
		c, more := nextControl(&s)
		if c != Keeps && c != Nests {
			last = c
		}
		if !more {
			return last
		}
	}
}

// FirstControlOf returns what the first statement of a text does.
func FirstControlOf(text string) Control {
	s := scanControls(text)
	c, _ := nextControl(&s)
	return c
}

// scanControls reads what MySQL executes in comments, too.
func scanControls(text string) Scanner {
	if strings.Contains(text, "/*!") || strings.Contains(text, "/*M!") {
		return New(text, MySQL)
	}
	return New(text, Unknown)
}

// nextControl returns what the next statement does, and whether more may follow.
func nextControl(s *Scanner) (c Control, more bool) {
	t := s.NextSignificant()
	next := *s
	switch word := next.NextSignificant(); {
	case t.Kind == EOF:
		return Keeps, false
	case t.Is("begin") && (word.Kind == EOF || word.IsPunct(';') || word.IsAny("transaction", "tran", "work",
		"deferred", "immediate", "exclusive", "concurrent", "read", "isolation")):
		c = Begins
	case t.IsAny("begin", "declare", "if", "for", "while", "loop", "repeat", "case"), t.Is("create") && createsRoutine(next, word):
		return Keeps, false // a block, or something with a body
	case t.Is("start") && word.Is("transaction"):
		c = Begins
	case t.Is("commit"), t.Is("end"):
		c = Commits
	case t.IsAny("savepoint", "release"), t.Is("rollback") && (word.Is("to") || word.IsAny("work", "transaction") && next.NextSignificant().Is("to")):
		c = Nests
	case t.Is("rollback"):
		c = RollsBack
	}
	more, _ = s.skipStatement(t)
	return c, more
}

// skipStatement goes to the end of the statement that t is in. It reports whether more may
// follow, and whether the dialect decides where the statement ends: then it stops there.
func (s *Scanner) skipStatement(t Token) (more, doubtful bool) {
	if strings.IndexByte(s.text[t.Start:], ';') < 0 {
		return false, false
	}
	for t.Kind != EOF && !t.IsPunct(';') && !t.Doubtful {
		t = s.NextSignificant()
	}
	return t.IsPunct(';'), t.Doubtful
}

// MayCommit reports whether text may end a transaction before it fails: MySQL commits
// before DDL, and SQLite as the outermost savepoint is released. A procedure is taken for
// one that does not.
func MayCommit(text string) bool {
	if Several(text) && ControlOf(text) != Keeps { // what follows ROLLBACK is kept, too
		return true
	}
	s := scanControls(text)
	for more := true; more; {
		t := s.NextSignificant()
		if t.Kind == EOF {
			break
		}
		if !t.IsAny("insert", "update", "delete", "replace", "merge", "select", "with", "values", "call",
			"savepoint", "rollback", "pragma", "show", "describe", "explain", "load", "copy") {
			return true
		}
		var doubtful bool
		if more, doubtful = s.skipStatement(t); doubtful {
			return true
		}
	}
	return false
}

// createsRoutine reports whether what follows CREATE names something with a body.
func createsRoutine(s Scanner, word Token) bool {
	for n := 0; n < 12 && word.Kind != EOF && !word.IsPunct(';') && !word.IsPunct('('); n++ {
		if word.IsAny("procedure", "function", "trigger", "event", "package") {
			return true
		}
		word = s.NextSignificant()
	}
	return false
}
