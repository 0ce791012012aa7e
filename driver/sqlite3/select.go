package sqlite3

import "strings"

// isSelect reports whether a query begins with the word SELECT. Comments,
// WITH and PRAGMA are not looked into: no is always a safe answer.
func isSelect(query string) bool {
	const word = "select"
	query = strings.TrimLeft(query, " \t\r\n")
	if len(query) <= len(word) || !strings.EqualFold(query[:len(word)], word) {
		return false
	}
	switch c := query[len(word)]; {
	case c == '_', c == '$', c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
		return false
	}
	return !strings.Contains(query, ";")
}
