package sqltext

// ReturnsRows reports whether text is for Query rather than Exec. That is so if any of
// its statements returns rows: a caller can skip a result set, but cannot get back one
// that Exec has dropped. In SQLite only the last statement counts, because
// go-sqlite3's Query runs all of them and returns the rows of the last. Unknown
// statements return no rows. ReturnsRows allocates nothing.
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

// A verb classifies statements by their first word.
type verb uint8

const (
	none    verb = iota // no statement yet
	silent              // no rows, or unknown
	showing             // rows
	selects             // rows, unless it has INTO
	changes             // rows if it has RETURNING
	with                // the verb comes after the common tables
	creates             // no rows, but perhaps a body
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

// A statement is what is known about a statement so far.
type statement struct {
	dialect   Dialect
	verb      verb
	depth     int   // open parentheses
	base      int   // of these, how many are around the whole statement: (SELECT 1) UNION ...
	prev      Token // the last token, not counting comments
	words     int   // after CREATE
	into      bool  // SELECT ... INTO
	pending   bool  // RETURNING was read, but may turn out to be a column
	returning bool
	routine   bool // CREATE PROCEDURE and the like
}

func (st *statement) returnsRows() bool {
	return st.verb == showing || st.verb == selects && !st.into || st.verb == changes && st.returning
}

// read reads up to a semicolon, and reports whether there was one.
func (st *statement) read(s *Scanner) bool {
	t := s.NextSignificant()
	for ; t.Kind != EOF && !t.IsPunct(';'); t = s.NextSignificant() {
		st.take(t)
		st.prev = t
	}
	return t.Kind != EOF
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

// clause looks at a token outside parentheses.
func (st *statement) clause(t Token) {
	switch st.verb {
	case with:
		if v := verbOf(t, st.dialect); v != silent && !st.prev.IsAny("with", "recursive") && !st.prev.IsPunct(',') {
			st.verb = v
		}
	case selects:
		st.into = st.into || st.dialect != SQLite && t.Is("into") && !st.prev.IsPunct('.')
	case changes:
		st.pending = t.Is("returning") && !st.returning && st.endsClause()
	case creates:
		st.words++
		st.routine = st.routine || st.words < 12 && t.IsAny("procedure", "function", "trigger", "event", "package")
	}
}

// endsClause reports whether RETURNING can follow the last token as a keyword.
// Otherwise it is a column.
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
