package reflectguard

import (
	"strings"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// IsReflection reports whether a statement in the text reads the schema, from the
// catalogs of SQLite, MySQL or PostgreSQL or with their commands. A name counts only
// where a table is named, not in a string or a comment. IsReflection takes time
// linear in the length of the text and allocates nothing. For ordinary statements it
// looks at the words alone, which takes a few nanoseconds a byte.
func IsReflection(query string) bool { return mayReflect(query) && isReflection(query) }

// isReflection reads the text in each dialect, since it does not know which one it is
// in. A dialect counts only if the text is valid in it, with no open string and no
// strange byte. If the text is valid in no dialect, all of them count.
func isReflection(query string) bool {
	var valid, found, mysql bool
	for _, d := range [...]sqltext.Dialect{sqltext.SQLite, sqltext.MySQL, sqltext.PostgreSQL} {
		r := reader{s: sqltext.New(query, d), dialect: d, first: true}
		r.read()
		if d == sqltext.MySQL {
			mysql = !r.strange
		}
		if r.hash && mysql { // more likely a comment than PostgreSQL's operator
			continue
		}
		if r.found && !r.strange {
			return true
		}
		valid = valid || !r.strange
		found = found || r.found
	}
	return found && !valid
}

// mayReflect looks for words of a catalog anywhere, and for words that begin a command
// wherever a command may begin. It reports true for all texts for which isReflection
// does, and for some others.
func mayReflect(query string) bool {
	var before byte // the last byte that is not a space
	comment := false
	for i := 0; i < len(query); {
		c := query[i]
		if !sqltext.IsWordByte(c) {
			switch c {
			case '#':
				comment = true
			case '-', '*':
				comment = comment || before == '-' || before == '/'
			}
			if c > ' ' {
				before = c
			}
			i++
			continue
		}
		start := i
		for i < len(query) && sqltext.IsWordByte(query[i]) {
			i++
		}
		if w := query[start:i]; isSuspect(w) || (comment || before == 0 || before == ';') && commands.has(w) {
			return true
		}
		before = 'a'
	}
	return false
}

// isSuspect reports whether a word may be a name in a catalog.
func isSuspect(w string) bool {
	return hasPrefix(w, "sqlite_") || hasPrefix(w, "pg_") || hasPrefix(w, "pragma_") ||
		hasPrefix(w, "information_schema") || len(w) >= len("to_regclass") && functions.has(w)
}

// hasPrefix ignores the case of letters.
func hasPrefix(w, prefix string) bool {
	return len(w) >= len(prefix) && strings.EqualFold(w[:len(prefix)], prefix)
}
