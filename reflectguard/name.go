package reflectguard

import (
	"strings"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// name looks at a name, or at a word that may be one.
func (r *reader) name(t sqltext.Token) {
	switch {
	case r.expect:
		r.expect = false
		r.table(t)
	case r.isCommonTable(t):
		r.shadow = t.Name()
	case r.dialect == sqltext.PostgreSQL && t.Kind == sqltext.Word && r.isCalled() && !r.inOtherSchema():
		r.found = functions.has(t.Text)
	}
}

// isCalled reports whether a parenthesis follows.
func (r *reader) isCalled() bool {
	ahead := r.s
	return ahead.NextSignificant().IsPunct('(')
}

// inOtherSchema reports whether the current name is qualified, but not by pg_catalog.
func (r *reader) inOtherSchema() bool {
	return r.prev.IsPunct('.') && !r.before.IsNamed("pg_catalog")
}

// table reads the rest of a table's name, whose first part is t.
func (r *reader) table(t sqltext.Token) {
	var schema sqltext.Token
	standard := false // INFORMATION_SCHEMA is one of the qualifiers
	for ahead := r.s; ahead.NextSignificant().IsPunct('.'); r.s = ahead {
		next := ahead.NextSignificant()
		if !next.IsName() {
			break
		}
		standard = standard || t.IsNamed("information_schema")
		t, schema = next, t
	}
	shadow := schema.Kind == sqltext.EOF && r.shadow != "" && strings.EqualFold(t.Name(), r.shadow)
	switch r.dialect {
	case sqltext.SQLite:
		r.found = isSQLite(t, r.isCalled()) && !shadow
	case sqltext.MySQL:
		r.found = standard
	default:
		r.found = standard || r.isPostgres(t, schema) && !shadow
	}
}

// isSQLite reports whether t names a table of SQLite that describes the schema.
// Pragmas are both functions and tables.
func isSQLite(t sqltext.Token, called bool) bool {
	name := t.Name()
	if hasPrefix(name, "pragma_") {
		return pragmas.has(name[len("pragma_"):])
	}
	return !called && sqliteTables.has(name)
}

func (r *reader) isPostgres(t, schema sqltext.Token) bool {
	switch {
	case r.isCalled():
		return functions.has(t.Name())
	case schema.IsNamed("pg_catalog"):
		return true
	}
	return schema.Kind == sqltext.EOF && pgTables.has(t.Name())
}

// isCommonTable reports whether t is the name in WITH t AS (...) or in
// WITH t (a, b) AS (...), and hides a table of a catalog.
func (r *reader) isCommonTable(t sqltext.Token) bool {
	if !r.prev.IsAny("with", "recursive") && !r.prev.IsPunct(',') ||
		!isSQLite(t, false) && !pgTables.has(t.Name()) {
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
