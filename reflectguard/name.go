package reflectguard

import "github.com/sqlaio/sqlaio/internal/sqltext"

// name looks at a name, or at a word that may be one.
func (r *reader) name(t sqltext.Token) {
	switch {
	case r.expect:
		r.expect = false
		r.table(t)
	case r.isCommonTable(t):
		r.shadow = t.Name()
	case r.dialect == sqltext.PostgreSQL && t.Kind == sqltext.Word && r.isCalled() && !r.ofAnotherSchema():
		var b folded
		r.found = functions[string(b.fold(t.Text))]
	}
}

// isCalled reports whether a parenthesis follows.
func (r *reader) isCalled() bool {
	ahead := r.s
	return ahead.NextSignificant().IsPunct('(')
}

// ofAnotherSchema reports whether what comes is qualified, but not by pg_catalog.
func (r *reader) ofAnotherSchema() bool {
	return r.prev.IsPunct('.') && !r.before.IsNamed("pg_catalog")
}

// table looks at a table's name, whose first part t is, and moves behind it.
func (r *reader) table(t sqltext.Token) {
	last, schema := t, sqltext.Token{}
	standard := false // INFORMATION_SCHEMA is among the qualifiers
	for {
		ahead := r.s
		if !ahead.NextSignificant().IsPunct('.') {
			break
		}
		next := ahead.NextSignificant()
		if !next.IsName() {
			break
		}
		standard = standard || last.IsNamed("information_schema")
		last, schema = next, last
		r.s = ahead
	}
	switch r.dialect {
	case sqltext.SQLite:
		r.found = isSQLite(last, r.isCalled()) && !r.isShadow(last, schema)
	case sqltext.MySQL:
		r.found = standard
	default:
		r.found = standard || r.isPostgres(last, schema)
	}
}

// isSQLite reports whether t names a table of SQLite's that describes. Pragmas are
// functions as well as tables.
func isSQLite(t sqltext.Token, called bool) bool {
	var b folded
	name := t.Name()
	if hasPrefix(name, "pragma_") {
		return pragmas[string(b.fold(name[len("pragma_"):]))]
	}
	return !called && sqliteTables[string(b.fold(name))]
}

func (r *reader) isPostgres(t, schema sqltext.Token) bool {
	var b folded
	name := b.fold(t.Name())
	switch {
	case r.isCalled():
		return functions[string(name)]
	case schema.IsNamed("pg_catalog"):
		return true
	case schema.Kind != sqltext.EOF:
		return false
	}
	return pgTables[string(name)] && !r.isShadow(t, schema)
}

// isShadow reports whether the name is that of a table of WITH's.
func (r *reader) isShadow(t, schema sqltext.Token) bool {
	return r.shadow != "" && schema.Kind == sqltext.EOF && equalFold(t.Name(), r.shadow)
}

// isCommonTable reports whether t is the name in WITH t AS (...) or
// WITH t (a, b) AS (...), and one that would else be a catalog's.
func (r *reader) isCommonTable(t sqltext.Token) bool {
	if !r.prev.IsAny("with", "recursive") && !r.prev.IsPunct(',') {
		return false
	}
	var b folded
	if !isSQLite(t, false) && !pgTables[string(b.fold(t.Name()))] {
		return false
	}
	ahead := r.s
	next := ahead.NextSignificant()
	if next.IsPunct('(') {
		return r.prev.Kind == sqltext.Word
	}
	next, ok := ahead.NextSignificant(), next.Is("as")
	return ok && (next.IsPunct('(') || next.IsAny("not", "materialized"))
}

func equalFold(a, b string) bool {
	var x, y folded
	return len(a) == len(b) && string(x.fold(a)) == string(y.fold(b))
}
