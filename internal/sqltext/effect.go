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

// MayChange reports whether text begins as a statement does that can return rows and
// change something.
func MayChange(text string) bool {
	s := New(text, Unknown)
	return s.NextSignificant().IsAny("insert", "update", "delete", "replace", "merge", "with", "select", "call", "execute")
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

// Several reports whether text may be more than one statement.
func Several(text string) bool {
	i := strings.IndexByte(text, ';')
	if i < 0 {
		return false
	}
	if strings.Trim(text[i:], "; \t\r\n") == "" {
		return false
	}
	s := New(text, Unknown)
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

// The controls. ROLLBACK TO a savepoint is none.
const (
	Keeps     Control = iota // nothing, as far as its words tell
	Begins                   // BEGIN, START TRANSACTION
	Commits                  // COMMIT, END
	RollsBack                // ROLLBACK
)

// ControlOf returns what the last of a text's statements that control a
// transaction does. The bodies of routines and blocks are not looked into.
func ControlOf(text string) Control {
	s := New(text, Unknown)
	last := Keeps
	for {
		t := s.NextSignificant()
		next := s
		switch word := next.NextSignificant(); {
		case t.Kind == EOF:
			return last
		case t.Is("begin") && (word.Kind == EOF || word.IsPunct(';') || word.IsAny("transaction", "tran", "work",
			"deferred", "immediate", "exclusive", "concurrent", "read", "isolation")):
			last = Begins
		case t.IsAny("begin", "create", "alter", "declare", "do"):
			return last // it has, or may have, a body
		case t.Is("start") && word.Is("transaction"):
			last = Begins
		case t.Is("commit"), t.Is("end") && !word.IsAny("if", "loop", "case", "while", "repeat"):
			last = Commits
		case t.Is("rollback") && !(word.Is("to") || word.IsAny("work", "transaction") && next.NextSignificant().Is("to")):
			last = RollsBack
		}
		if strings.IndexByte(text[t.Start:], ';') < 0 {
			return last
		}
		for t.Kind != EOF && !t.IsPunct(';') {
			t = s.NextSignificant()
		}
	}
}
