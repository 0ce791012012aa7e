package reflectguard

import (
	"strings"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A reader follows the statements of a text in one dialect as far as it takes to
// know where tables are named: behind FROM and JOIN, and behind the commas there.
type reader struct {
	s       sqltext.Scanner
	dialect sqltext.Dialect

	found   bool // something that describes
	strange bool // not whole in this dialect
	hash    bool // # as an operator of its own

	first  bool          // at the first word of a statement
	mute   bool          // nothing to look for up to the semicolon
	over   bool          // nor behind it
	depth  int           // parentheses open
	query  uint64        // a bit for each depth: a SELECT is there,
	from   uint64        // and its tables are being listed
	expect bool          // the next name is a table's
	before sqltext.Token // the one before prev
	prev   sqltext.Token // the last token that is no comment
	shadow string        // a table of WITH's that has the name of a catalog's
}

func newReader(query string, d sqltext.Dialect) reader {
	return reader{s: sqltext.New(query, d), dialect: d, first: true}
}

// read reads to the end, for what is strange may come last.
func (r *reader) read() {
	for {
		t := r.s.Next()
		if t.Kind == sqltext.EOF {
			return
		}
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

// check notes what no text of the dialect has.
func (r *reader) check(t sqltext.Token) {
	switch {
	case t.Open, t.Kind == sqltext.Invalid:
		r.strange = true
	case t.Kind == sqltext.Operator && t.Text == "#":
		r.hash = true
	case t.Kind == sqltext.Operator && strings.Contains(t.Text, "*/"):
		r.strange = true // the end of a comment that ended before
	case r.dialect == sqltext.MySQL && (t.IsPunct('[') || t.Kind == sqltext.Word && t.Text[0] == '$'):
		r.strange = true // dollar quotes are PostgreSQL's
	}
}

// bit is that of the depth. Deeper than 62 all share one.
func (r *reader) bit() uint64 { return 1 << min(max(r.depth, 0), 63) }

func (r *reader) take(t sqltext.Token) {
	switch t.Kind {
	case sqltext.Punct:
		r.punct(t)
	case sqltext.Word:
		var b folded
		r.word(t, b.fold(t.Text))
	case sqltext.Quoted:
		r.name(t)
	case sqltext.String:
		if r.expect && r.dialect == sqltext.SQLite { // which takes it for a name
			var b folded
			r.found = sqliteTables[string(b.fold(strings.Trim(t.Text, "'")))]
		}
		r.expect = false
	default:
		r.expect = false
	}
}

func (r *reader) punct(t sqltext.Token) {
	switch t.Text[0] {
	case '(', '[':
		r.depth++
		r.query &^= r.bit()
		r.from &^= r.bit()
		if r.expect && t.Text[0] == '(' { // FROM (a JOIN b)
			r.from |= r.bit()
			return
		}
		if r.first && t.Text[0] == '(' { // (SELECT ...)
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

func (r *reader) word(t sqltext.Token, w []byte) {
	if r.first {
		r.first = false
		if r.command(string(w)) {
			r.mute = true
			return
		}
		r.expect = string(w) == "table" // TABLE t is a query
		if r.expect {
			return
		}
	}
	switch string(w) {
	case "select", "update":
		r.query |= r.bit()
		r.from &^= r.bit()
		r.expect = false
	case "from":
		r.expect = r.query&r.bit() != 0 && !r.prev.Is("distinct")
		if r.expect {
			r.from |= r.bit()
		}
	case "join", "straight_join":
		r.expect = r.from&r.bit() != 0
	case "where", "group", "order", "having", "limit", "union", "intersect", "except", "window", "for", "set",
		"returning", "into", "offset", "fetch":
		r.from &^= r.bit()
		r.expect = false
	case "only", "lateral":
	default:
		r.name(t)
	}
}
