package reflectguard

import "github.com/sqlaio/sqlaio/internal/sqltext"

// command looks at a statement by its first word, and reports whether the rest
// of the statement can be skipped.
func (r *reader) command(first sqltext.Token) bool {
	ahead := r.s
	switch {
	case first.Is("pragma"):
		r.found = r.dialect == sqltext.SQLite && isPragma(&ahead)
	case first.Is("show"):
		r.found = r.dialect == sqltext.MySQL && isShow(&ahead)
	case first.IsAny("desc", "describe", "explain"):
		r.found = r.dialect == sqltext.MySQL && isDescribe(&ahead)
	case first.Is("create"):
		return r.create(&ahead)
	default:
		return first.IsAny("grant", "revoke")
	}
	return true
}

// isPragma reads what follows PRAGMA: a name, perhaps qualified by a database.
func isPragma(s *sqltext.Scanner) bool {
	name := s.NextSignificant()
	if s.NextSignificant().IsPunct('.') {
		name = s.NextSignificant()
	}
	return name.IsName() && pragmas.has(name.Name())
}

// isShow reads what follows SHOW.
func isShow(s *sqltext.Scanner) bool {
	t := s.NextSignificant()
	for t.IsAny("full", "extended", "storage") {
		t = s.NextSignificant()
	}
	switch next := s.NextSignificant(); {
	case t.Is("table"):
		return next.Is("status")
	case t.IsAny("procedure", "function", "package"):
		return next.IsAny("status", "code", "body")
	case t.Is("character"):
		return next.Is("set")
	case t.Is("create"):
		return !next.Is("user")
	}
	return t.Kind == sqltext.Word && shown.has(t.Text)
}

// isDescribe reads what follows DESCRIBE or EXPLAIN: a table, and perhaps a column
// or a pattern for columns.
func isDescribe(s *sqltext.Scanner) bool {
	t := s.NextSignificant()
	if !t.IsName() || t.Kind == sqltext.Word && explained.has(t.Text) {
		return false
	}
	t = s.NextSignificant()
	for t.IsPunct('.') {
		if !s.NextSignificant().IsName() {
			return false
		}
		t = s.NextSignificant()
	}
	if t.IsName() || t.Kind == sqltext.String {
		t = s.NextSignificant()
	}
	return t.Kind == sqltext.EOF || t.IsPunct(';')
}

// create skips definitions of views, triggers and functions. The bodies of triggers
// and functions contain semicolons, so the rest of the text is skipped too, except in
// PostgreSQL, where they are strings. CREATE TABLE may contain a query.
func (r *reader) create(s *sqltext.Scanner) bool {
	for range 12 {
		t := s.NextSignificant()
		switch {
		case t.Is("view"):
			return true
		case t.IsAny("trigger", "procedure", "function", "event", "package"):
			r.over = r.dialect != sqltext.PostgreSQL
			return true
		case t.Is("table"), t.IsPunct(';'), t.IsPunct('('), t.Kind == sqltext.EOF:
			return false
		}
	}
	return false
}
