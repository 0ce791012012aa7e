package reflectguard

import "github.com/sqlaio/sqlaio/internal/sqltext"

// command looks at a statement by its first word, and reports whether
// there is nothing else to look for in it.
func (r *reader) command(first string) bool {
	ahead := r.s // what is only looked at is read again
	switch first {
	case "pragma":
		r.found = r.found || r.dialect == sqltext.SQLite && isPragma(&ahead)
	case "show":
		r.found = r.found || r.dialect == sqltext.MySQL && isShow(&ahead)
	case "desc", "describe", "explain":
		r.found = r.found || r.dialect == sqltext.MySQL && isDescribe(&ahead)
	case "create":
		return r.create(&ahead)
	case "grant", "revoke":
	default:
		return false
	}
	return true
}

// isPragma reads what follows PRAGMA: a name, maybe behind that of a database.
func isPragma(s *sqltext.Scanner) bool {
	name := s.NextSignificant()
	ahead := *s
	if ahead.NextSignificant().IsPunct('.') {
		name = ahead.NextSignificant()
	}
	var b folded
	return name.IsName() && pragmas[string(b.fold(name.Name()))]
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
	var b folded
	return t.Kind == sqltext.Word && shown[string(b.fold(t.Text))]
}

// isDescribe reads what follows DESCRIBE or EXPLAIN: a table, and maybe a column or
// a pattern of columns.
func isDescribe(s *sqltext.Scanner) bool {
	t := s.NextSignificant()
	var b folded
	if !t.IsName() || t.Kind == sqltext.Word && explained[string(b.fold(t.Text))] {
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

// create passes over what is only written down: views, triggers and functions. The
// bodies of the latter hold semicolons, so nothing behind them is looked
// at, unless the dialect has bodies in strings. CREATE TABLE may have a query.
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
