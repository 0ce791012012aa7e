package reflectguard

import (
	"strings"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A reader follows the statements of a text in one dialect, just closely enough to
// know where a table is named: after FROM and JOIN, and after a comma in such a list.
type reader struct {
	s       sqltext.Scanner
	dialect sqltext.Dialect

	found   bool // a statement reads the schema
	strange bool // the text is not valid in this dialect
	hash    bool // # is used as an operator of its own

	first  bool          // at the first word of a statement
	mute   bool          // ignore the rest of the statement
	over   bool          // ignore everything after it too
	depth  int           // open parentheses
	query  uint64        // one bit per depth: there is a SELECT at it
	from   uint64        // one bit per depth: inside the list of its tables
	expect bool          // the next name is a table's
	before sqltext.Token // the token before prev
	prev   sqltext.Token // the last token, not counting comments
	shadow string        // a common table with the name of a catalog's table
}

// read reads to the end of the text, because the text may be invalid only there.
func (r *reader) read() {
	for t := r.s.Next(); t.Kind != sqltext.EOF; t = r.s.Next() {
		r.check(t)
		if t.Kind == sqltext.Comment {
			continue
		}
		if t.IsPunct(';') {
			r.first, r.mute, r.depth, r.query, r.from, r.expect = true, false, 0, 0, 0, false
		} else if !r.mute && !r.over && !r.found {
			r.take(t)
		}
		r.before, r.prev = r.prev, t
	}
}

// check looks for tokens that cannot be in a valid text of the dialect.
func (r *reader) check(t sqltext.Token) {
	switch {
	case t.Open, t.Kind == sqltext.Invalid:
		r.strange = true
	case t.Kind == sqltext.Operator && t.Text == "#":
		r.hash = true
	case t.Kind == sqltext.Operator && strings.Contains(t.Text, "*/"):
		r.strange = true // the end of a comment that has already ended
	case r.dialect == sqltext.MySQL && (t.IsPunct('[') || t.Kind == sqltext.Word && t.Text[0] == '$'):
		r.strange = true // dollar quotes are PostgreSQL's
	}
}

// bit is the current depth's. Depths over 62 share one.
func (r *reader) bit() uint64 { return 1 << min(max(r.depth, 0), 63) }

func (r *reader) take(t sqltext.Token) {
	switch t.Kind {
	case sqltext.Punct:
		r.punct(t.Text[0])
	case sqltext.Word:
		r.word(t)
	case sqltext.Quoted:
		r.name(t)
	case sqltext.String:
		if r.expect && r.dialect == sqltext.SQLite { // which accepts a string as a name
			r.found = sqliteTables.has(strings.Trim(t.Text, "'"))
		}
		r.expect = false
	default:
		r.expect = false
	}
}

func (r *reader) punct(c byte) {
	switch c {
	case '(', '[':
		r.depth++
		r.query &^= r.bit()
		r.from &^= r.bit()
		if r.expect && c == '(' { // FROM (a JOIN b)
			r.from |= r.bit()
			return
		}
		if r.first && c == '(' { // (SELECT ...)
			return
		}
	case ')', ']':
		r.depth--
	case ',':
		r.expect = r.from&r.bit() != 0
		return
	}
	r.expect, r.first = false, false
}

func (r *reader) word(t sqltext.Token) {
	if r.first {
		r.first = false
		r.mute = r.command(t)
		r.expect = t.Is("table") // TABLE t is a query
		if r.mute || r.expect {
			return
		}
	}
	switch {
	case t.IsAny("select", "update"):
		r.query |= r.bit()
		r.from &^= r.bit()
		r.expect = false
	case t.Is("from"):
		r.expect = r.query&r.bit() != 0 && !r.prev.Is("distinct")
		if r.expect {
			r.from |= r.bit()
		}
	case t.IsAny("join", "straight_join"):
		r.expect = r.from&r.bit() != 0
	case ending.has(t.Text):
		r.from &^= r.bit()
		r.expect = false
	case t.IsAny("only", "lateral"):
	default:
		r.name(t)
	}
}
