package reflectguard

import "github.com/sqlaio/sqlaio/internal/sqltext"

// IsReflection reports whether a statement of the text reads what the schema is,
// from the catalogs of SQLite, MySQL or PostgreSQL or by their commands. Names
// in strings, comments and other places than a table's do not count. It takes time
// linear in the length of the text and allocates nothing; ordinary
// statements are told by their words alone, about a nanosecond a byte.
func IsReflection(query string) bool {
	if !mayReflect(query) {
		return false
	}
	return isReflection(query)
}

// isReflection reads the text in each dialect: nobody says which it is in. A
// dialect counts if the text is whole in it, without open strings or strange
// bytes, or if it is whole in none.
func isReflection(query string) bool {
	var whole, found, mysql bool
	for _, d := range [...]sqltext.Dialect{sqltext.SQLite, sqltext.MySQL, sqltext.PostgreSQL} {
		r := newReader(query, d)
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
		whole = whole || !r.strange
		found = found || r.found
	}
	return found && !whole
}

// mayReflect looks for words of a catalog, wherever they are, and for those of a
// command where one may begin. It finds all that isReflection could.
func mayReflect(query string) bool {
	var before byte // the last that is no space
	comment := false
	for i := 0; i < len(query); {
		c := query[i]
		if !isWord[c] {
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
		for i < len(query) && isWord[query[i]] {
			i++
		}
		if w := query[start:i]; isSuspect(w) || (comment || before == 0 || before == ';') && isCommand(w) {
			return true
		}
		before = 'a'
	}
	return false
}

var isWord = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= 0x80 || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	return t
}()

// isSuspect reports whether a word may be a name of a catalog.
func isSuspect(w string) bool {
	if len(w) < 4 {
		return false
	}
	switch w[0] | 0x20 {
	case 's':
		return hasPrefix(w, "sqlite_") || hasPrefix(w, "shobj_")
	case 'p':
		return hasPrefix(w, "pg_") || hasPrefix(w, "pragma_")
	case 'i':
		return hasPrefix(w, "information_schema")
	case 't', 'o', 'c', 'f':
		var b folded
		return functions[string(b.fold(w))]
	}
	return false
}

// isCommand reports whether a statement that begins with the word may describe.
func isCommand(w string) bool {
	var b folded
	switch string(b.fold(w)) {
	case "pragma", "show", "desc", "describe", "explain":
		return true
	}
	return false
}
