package sqltext

// ReturnsRows reports whether text is for Query rather than for Exec. Of several
// statements any that returns rows makes it so, for a caller can pass over result
// sets but not get them back; in SQLite the last one alone, because go-sqlite3's
// Query runs them all and returns the rows of the last. What it does not
// know returns none. It allocates nothing.
func ReturnsRows(text string, d Dialect) bool {
	s := New(text, d)
	rows := false
	for {
		st := statement{dialect: d}
		more := st.read(&s)
		switch {
		case st.verb == none: // between two semicolons
		case d == SQLite:
			rows = st.returnsRows()
		case st.returnsRows():
			return true
		case st.routine && d != PostgreSQL:
			return false // the rest is its body
		}
		if !more {
			return rows
		}
	}
}

// A verb is what a statement begins with, as far as it matters.
type verb uint8

const (
	none    verb = iota // no statement yet
	silent              // no rows, or unknown
	showing             // rows
	selects             // rows, unless it has INTO
	changes             // rows if it has RETURNING
	with                // the verb comes behind the common tables
	creates             // no rows, but maybe a body
)

func verbOf(t Token, d Dialect) verb {
	switch {
	case t.Is("select"):
		return selects
	case t.IsAny("insert", "update", "delete", "replace", "merge"):
		return changes
	case t.Is("with"):
		return with
	case t.Is("create"):
		return creates
	case t.IsAny("values", "table", "pragma", "show", "describe", "desc", "explain", "call", "execute", "fetch"):
		return showing
	case d == MySQL && t.IsAny("analyze", "check", "checksum", "optimize", "repair", "handler", "help", "xa", "cache"):
		return showing
	}
	return silent
}

// A statement is what is known of one so far.
type statement struct {
	dialect   Dialect
	verb      verb
	depth     int   // parentheses open
	base      int   // those around the whole statement: (SELECT 1) UNION ...
	prev      Token // the last token that is no comment
	words     int   // behind CREATE
	into      bool  // SELECT ... INTO
	pending   bool  // RETURNING was read, unless it turns out to be a column
	returning bool
	routine   bool // CREATE PROCEDURE and the like
}

func (st *statement) returnsRows() bool {
	switch st.verb {
	case showing:
		return true
	case selects:
		return !st.into
	case changes:
		return st.returning
	}
	return false
}

// read reads up to a semicolon, and reports whether there was one.
func (st *statement) read(s *Scanner) bool {
	for {
		t := s.NextSignificant()
		if t.Kind == EOF || t.IsPunct(';') {
			return t.Kind != EOF
		}
		st.take(t)
		st.prev = t
	}
}

func (st *statement) take(t Token) {
	if st.pending {
		st.pending = false
		st.returning = t.Kind != Operator || t.Text != "="
	}
	switch {
	case t.IsPunct('('):
		if st.verb == with && st.depth == st.base && st.prev.IsPunct(')') {
			st.verb = showing // WITH ... (SELECT ...)
		}
		st.depth++
	case t.IsPunct(')'):
		st.depth--
	case st.verb == none:
		st.verb, st.base = verbOf(t, st.dialect), st.depth
	case st.depth == st.base:
		st.clause(t)
	}
}

// clause looks at a token that is in no parentheses.
func (st *statement) clause(t Token) {
	switch st.verb {
	case with:
		if v := verbOf(t, st.dialect); v != silent && !st.prev.IsAny("with", "recursive") && !st.prev.IsPunct(',') {
			st.verb = v
		}
	case selects:
		if st.dialect != SQLite && t.Is("into") && !st.prev.IsPunct('.') {
			st.into = true
		}
	case changes:
		if t.Is("returning") && !st.returning && st.endsClause() {
			st.pending = true
		}
	case creates:
		st.words++
		if st.words < 12 && t.IsAny("procedure", "function", "trigger", "event", "package") {
			st.routine = true
		}
	}
}

// endsClause reports whether the last token may stand before RETURNING. Where
// that is no keyword, it may be a column.
func (st *statement) endsClause() bool {
	p := st.prev
	switch p.Kind {
	case Operator:
		return p.Text == "*"
	case Punct:
		return p.IsPunct(')') || p.IsPunct(']')
	}
	return !p.IsAny("set", "select", "by", "where", "and", "or", "not", "distinct", "on")
}
