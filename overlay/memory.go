package overlay

import "strings"

// privateDatabase reports whether each connection to an SQLite data source name
// has a database of its own.
func privateDatabase(dsn string) (private, shared bool) {
	memory := dsn == "" || strings.Contains(dsn, ":memory:") || strings.Contains(dsn, "mode=memory")
	shared = memory && strings.Contains(dsn, "cache=shared")
	return memory && !shared, shared
}
