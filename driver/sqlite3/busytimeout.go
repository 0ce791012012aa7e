package sqlite3

import "strings"

// mentionsBusyTimeout reports whether "busy_timeout" is in a query, in any case.
// It looks at underscores alone, which costs some nanoseconds for a statement
// of usual length.
func mentionsBusyTimeout(query string) bool {
	const before, after = "busy", "_timeout"
	for {
		i := strings.IndexByte(query, '_')
		if i < 0 {
			return false
		}
		if i >= len(before) && len(query)-i >= len(after) && query[i-1]|0x20 == 'y' && query[i+1]|0x20 == 't' &&
			strings.EqualFold(query[i-len(before):i], before) && strings.EqualFold(query[i:i+len(after)], after) {
			return true
		}
		query = query[i+1:]
	}
}
