package overlay

import (
	"net/url"
	"strings"
)

// privateDatabase tells what a data source name of go-sqlite3 opens. The database
// is private if each connection gets one of its own, in memory or in a
// temporary file. It is shared if it is in memory and the connections of the
// process see the same one, as long as one of them is open. A name that cannot
// be opened is neither.
func privateDatabase(dsn string) (private, shared bool) {
	name, vfs := dsn, ""
	if at := strings.IndexByte(dsn, '?'); at > 0 { // go-sqlite3 takes one in front as part of the name
		params, err := url.ParseQuery(dsn[at+1:])
		if err != nil {
			return false, false
		}
		vfs = params.Get("vfs")
		if !strings.HasPrefix(dsn, "file:") {
			name = dsn[:at]
		}
	}
	name, _, _ = strings.Cut(name, "\x00") // the end of a string in C
	f := sqliteFile{name: name, vfs: vfs}
	if strings.HasPrefix(name, "file:") {
		f = parseSQLiteURI(name, vfs)
	}
	switch memdb := f.vfs == "memdb"; {
	case f.name == "":
		return true, false
	case f.memory || f.name == ":memory:", memdb && !(len(f.name) > 1 && strings.ContainsRune(`/\`, rune(f.name[0]))):
		return !f.shared, f.shared
	default:
		return false, memdb
	}
}

// A sqliteFile is what SQLite opens, as far as it matters for privateDatabase.
type sqliteFile struct {
	name, vfs      string
	memory, shared bool // mode=memory, cache=shared
}

// parseSQLiteURI takes a name that begins with "file:" apart as sqlite3ParseUri
// does, which differs from net/url: the last parameter of a name counts, case
// matters, a plus sign is one, and %00 ends a part.
func parseSQLiteURI(uri, vfs string) sqliteFile {
	uri, _, _ = strings.Cut(strings.TrimPrefix(uri, "file:"), "#")
	if path, ok := strings.CutPrefix(uri, "//"); ok { // an authority, which must be empty or localhost
		uri = strings.TrimPrefix(path, "localhost")
	}
	name, query, _ := strings.Cut(uri, "?")
	f := sqliteFile{name: unescapeSQLite(name), vfs: vfs}
	for param := range strings.SplitSeq(query, "&") {
		key, value, _ := strings.Cut(param, "=")
		value = unescapeSQLite(value)
		switch unescapeSQLite(key) {
		case "vfs":
			f.vfs = value
		case "mode":
			f.memory = value == "memory"
		case "cache":
			f.shared = value == "shared"
		}
	}
	return f
}

// unescapeSQLite decodes %HH, leaves a percent sign without two digits alone,
// and ends at %00.
func unescapeSQLite(s string) string {
	var b strings.Builder
	for ; s != ""; s = s[1:] {
		c := s[0]
		if c == '%' && len(s) > 2 && isHex(s[1]) && isHex(s[2]) {
			c = hexValue(s[1])<<4 | hexValue(s[2])
			if c == 0 {
				break
			}
			s = s[2:]
		}
		b.WriteByte(c)
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
