package sqltext

import "strings"

// ReadsOnly reports whether text is one statement that can change nothing, as
// far as its words tell. It is false if a function is called that is not known, but
// for SQLite, whose functions cannot.
func ReadsOnly(text string, d Dialect) bool {
	if d != SQLite && !onlyKnownCalls(text) {
		return false
	}
	for _, d := range d.readings() {
		if !readsOnly(text, d) {
			return false
		}
	}
	return true
}

func readsOnly(text string, d Dialect) bool {
	s := New(text, d)
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
		case t.Open, t.IsAny("insert", "update", "delete", "replace", "merge", "into"):
			return false
		case t.executed():
			return false
		case ended && t.Kind != Comment && !t.IsPunct(';'):
			return false
		}
		ended = ended || t.IsPunct(';')
	}
	return true
}

// executed reports whether a comment is one that MySQL executes.
func (t Token) executed() bool {
	return t.Kind == Comment && (strings.HasPrefix(t.Text, "/*!") || strings.HasPrefix(t.Text, "/*M!"))
}

// MayChange reports whether text is several statements, or begins as one that can
// return rows and change something.
func MayChange(text string, d Dialect) bool {
	for _, d := range d.readings() {
		s := New(text, d)
		if s.NextSignificant().IsAny("insert", "update", "delete", "replace", "merge", "with", "select", "call", "execute", "exec",
			"begin", "start", "if", "case", "for", "while", "loop", "repeat", "declare", "set", "do", "create", "alter", "drop", "explain", "analyze") {
			return true
		}
	}
	return Several(text, d)
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
func Several(text string, d Dialect) bool {
	for _, d := range d.readings() {
		if several(text, d) {
			return true
		}
	}
	return false
}

func several(text string, d Dialect) bool {
	s := New(text, d)
	t := s.NextSignificant()
	if t.IsAny("call", "execute", "exec") {
		return true
	}
	i := strings.IndexByte(text, ';')
	if i < 0 || strings.Trim(text[i:], "; \t\r\n") == "" {
		return false
	}
	for ; t.Kind != EOF; t = s.NextSignificant() {
		switch {
		case t.Open:
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
	Chains                   // COMMIT AND CHAIN, which begins another one
	RollsBack                // ROLLBACK
	Nests                    // SAVEPOINT, RELEASE, ROLLBACK TO
	Unclear                  // it depends on the dialect, which is not known, or on settings
)

// ControlOf returns what the last of a text's statements that begin or end a
// transaction does. The bodies of routines are not looked into, nor what comes after one or
// after a block: where it ends depends on the dialect. What a block does is Unclear if it
// names a transaction.
func ControlOf(text string, d Dialect) Control { return agreed(text, d, controlOf) }

// FirstControlOf returns what the first statement of a text does.
func FirstControlOf(text string, d Dialect) Control {
	return agreed(text, d, func(text string, d Dialect) Control {
		s := New(text, d)
		c, _ := nextControl(&s)
		return c
	})
}

// agreed returns what all dialects that the text may be in agree on.
func agreed(text string, d Dialect, of func(string, Dialect) Control) Control {
	readings := d.readings()
	c := of(text, readings[0])
	for _, d := range readings[1:] {
		if of(text, d) != c {
			return Unclear
		}
	}
	return c
}

func controlOf(text string, d Dialect) Control {
	last := Keeps
	s := New(text, d)
	for {
		c, end := nextControl(&s)
		if c != Keeps && c != Nests {
			last = c
		}
		switch end {
		case endOfText:
			return last
		case endUnclear:
			return Unclear
		}
	}
}

// ending is what a statement ends with.
type ending uint8

const (
	endOfText  ending = iota
	semicolon         // more may follow
	endUnclear        // something that the text does not close: it is to be read in another way
)

// nextControl returns what the next statement does, and what it ends with.
func nextControl(s *Scanner) (c Control, end ending) {
	t := s.NextSignificant()
	next := *s
	switch word := next.NextSignificant(); {
	case t.Kind == EOF:
		return Keeps, endOfText
	case t.Is("begin") && (word.Kind == EOF || word.IsPunct(';') || word.IsAny("transaction", "tran", "work",
		"deferred", "immediate", "exclusive", "concurrent", "read", "isolation")):
		c = Begins
	case t.IsAny("begin", "declare", "if", "for", "while", "loop", "repeat", "case"):
		return next.inBlock(word), endOfText
	case t.Is("create") && createsRoutine(next, word):
		return Keeps, endOfText // something with a body
	case t.Is("start") && word.Is("transaction"):
		c = Begins
	case t.IsAny("commit", "end"):
		c = Commits
		if word.IsAny("work", "transaction") {
			word = next.NextSignificant()
		}
		if word.Is("and") && next.NextSignificant().Is("chain") {
			c = Chains
		}
	case t.IsAny("savepoint", "release"), t.Is("rollback") && (word.Is("to") || word.IsAny("work", "transaction") && next.NextSignificant().Is("to")):
		c = Nests
	case t.Is("rollback"):
		c = RollsBack
	}
	return c, s.skipStatement(t)
}

// inBlock returns what a block may do, from t on. It may commit and begin again, which the
// database does not tell.
func (s *Scanner) inBlock(t Token) Control {
	for ; t.Kind != EOF; t = s.Next() {
		if t.IsAny("commit", "rollback", "transaction") || t.executed() {
			return Unclear
		}
	}
	return Keeps
}

// skipStatement goes to the end of the statement that t is in.
func (s *Scanner) skipStatement(t Token) ending {
	if strings.IndexByte(s.text[t.Start:], ';') < 0 {
		return endOfText
	}
	for ; ; t = s.Next() {
		switch {
		case t.Open:
			return endUnclear
		case t.Kind == EOF:
			return endOfText
		case t.IsPunct(';'):
			return semicolon
		}
	}
}

// MayCommit reports whether text may end a transaction before it fails: MySQL commits
// before DDL, and SQLite as the outermost savepoint is released. A procedure is taken for
// one that does not.
func MayCommit(text string, d Dialect) bool {
	for _, d := range d.readings() {
		if mayCommit(text, d) {
			return true
		}
	}
	return false
}

func mayCommit(text string, d Dialect) bool {
	if several(text, d) && controlOf(text, d) != Keeps { // what follows ROLLBACK is kept, too
		return true
	}
	s := New(text, d)
	for end := semicolon; end != endOfText; {
		t := s.NextSignificant()
		if t.Kind == EOF {
			break
		}
		if !t.IsAny("insert", "update", "delete", "replace", "merge", "select", "with", "values", "call",
			"savepoint", "rollback", "pragma", "show", "describe", "explain", "load", "copy") {
			return true
		}
		if end = s.skipStatement(t); end == endUnclear {
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
