package sqlite3

import (
	"net/url"
	"strings"
)

// ServerDSN returns the data source name of the database file at path, for programs
// that serve many callers. Each setting can be replaced by a param, such as
// "_synchronous=NORMAL":
//
//   - _journal_mode=WAL: readers and the writer do not wait for each other.
//   - _synchronous=FULL: a commit that has returned survives the loss of power. With
//     NORMAL and WAL the last ones may be lost then, but none when a process dies.
//   - _busy_timeout=5000: a lock that another process holds is waited for, 5 s at most.
//   - _foreign_keys=1: SQLite does not check foreign keys by default.
//   - _txlock=immediate: a transaction takes the write lock when it begins.
//     Otherwise one that reads first and writes later may fail with SQLITE_BUSY_SNAPSHOT,
//     which no busy timeout retries.
//   - _cache_size=-16000: 16 MB of pages for each connection instead of 2.
//   - _stmt_cache_size=64: statements that are executed again are not compiled again.
//
// Memory mapping (PRAGMA mmap_size) is left off, as it is by default. It makes reads of
// files much larger than the cache faster. But an I/O error then is not an error of the
// call: it is a signal, SIGBUS, that ends the program. go-sqlite3 has no parameter for it.
func ServerDSN(path string, params ...string) string {
	path = (&url.URL{Path: path}).EscapedPath() // what begins a query or a fragment is part of the name
	dsn := []string{"_journal_mode=WAL", "_synchronous=FULL", "_busy_timeout=5000", "_foreign_keys=1", "_txlock=immediate", "_cache_size=-16000", "_stmt_cache_size=64"}
	for _, p := range params {
		key, _, _ := strings.Cut(p, "=")
		for i := range dsn {
			if strings.HasPrefix(dsn[i], key+"=") {
				dsn = append(dsn[:i], dsn[i+1:]...)
				break
			}
		}
		dsn = append(dsn, p)
	}
	return "file:" + path + "?" + strings.Join(dsn, "&")
}
