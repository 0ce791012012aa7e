//go:build cgo

package overlay

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

// sqliteNames are data source names of go-sqlite3 by what they open.
var sqliteNames = map[string][]string{"private": {
	"", "file:", "file:?x=1", "file:#app.db", "file://", "file://localhost", "file:?cache=shared", "file:?mode=memory&cache=shared",
	":memory:", ":memory:?x=1", ":memory:?cache=shared", "file::memory:", "file::memory:?x=1", "file:%3Amemory%3A", "file:%3amemory%3a",
	"file:x?mode=memory", "file:x?x=1&mode=memory", "file:x?mode=memory&cache=private", "file:x?mode=rwc&mode=memory",
	"file:x?%6Dode=memory", "file:x?mode=%6Demory", "file:x?mode=mem%6fry", "file:x?&&mode=memory", "file:x?mode=memory#&mode=rwc",
	"file:x?mode=memory%00&x=1", "file:x?mode%00y=memory", "file::memory:%00x", "file:%00x", "file:///x?mode=memory", "file://localhost/x?mode=memory",
	"file:x?cache=shared&mode=memory&cache=private", "file:x?mode=memory&Cache=shared", ":memory:\x00x",
	"file:x?vfs=memdb", "x?vfs=memdb", "x?x=1&vfs=memdb", "file:x?%76fs=memdb", "file:x?vfs=mem%64b", "file:/?vfs=memdb", "file:/x?vfs=memdb&mode=memory",
	"x?vfs=memdb&vfs=unix", "file:x?vfs=unix&vfs=memdb",
}, "shared": {
	"file::memory:?cache=shared", "file:%3Amemory%3A?cache=shared", "file:x?mode=memory&cache=shared", "file:x?cache=shared&mode=memory",
	"file:x?cache=private&mode=memory&cache=shared", "file:x?mode=memory&%63ache=%73hared", "file:/x?vfs=memdb", "/x?vfs=memdb", "file:%2Fx?vfs=memdb",
	`file:\x?vfs=memdb`, "file:///x?vfs=memdb", "file:x?vfs=memdb&cache=shared",
}, "file": {
	"app.db", "app.db?mode=memory", "app.db?cache=shared", "file:app.db", "file:app.db?cache=shared", "?x=1", "?mode=memory", "?vfs=memdb",
	":MEMORY:", "file::Memory:", "FILE::memory:", "FILE:x?mode=memory", "x:memory:", ":memory:x", "file::memory:x", "./:memory:", "file:./:memory:",
	" :memory:", "file: ", "%3Amemory%3A", "file:%253Amemory%253A", "memory", "mode=memory", "file:mode=memory", "file:x#?mode=memory",
	"file:x?Mode=memory", "file:x?MODE=memory&CACHE=shared", "file:x?mode=memory&mode=rwc", "file:x%3Fmode=memory", "file:x?x=%26mode=memory", "file:x?y=1%26mode=memory",
	"file:x?VFS=memdb", "file:x?vfs=memdb&vfs=unix", "file:x?+mode=memory", "file:%4", "file:%zz", "file:+", "app.db?x=1#mode=memory", "file:app.db?x=?mode=memory",
}, "not opened": {
	"app.db?x=%zz", "file:x?mode=memory;y", "file:x?mode=MEMORY", "file:x?mode=", "file:x?mode=memory&cache=Shared", "file://host/x?mode=memory",
	"x?vfs=Memdb", "file:x?vfs=nosuchvfs", "file:x?mode=memory&vfs=MEMDB", "file:x?mode=memory+",
}}

// TestPrivateDatabaseAsSQLiteOpensIt has go-sqlite3 open each name.
func TestPrivateDatabaseAsSQLiteOpensIt(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	names := maps.Clone(sqliteNames)
	names["file"] = append(slices.Clone(names["file"]), dir+"/:memory:x", dir+"/x?mode=memory", "file:"+dir+"/y?cache=shared")
	for kind, list := range names {
		for _, dsn := range list {
			if is := openedKind(t, dsn); is != kind {
				t.Errorf("%q is %s, not %s", dsn, is, kind)
			}
			private, shared := privateDatabase(dsn)
			// What is said of a name that cannot be opened has no effect.
			if kind != "not opened" && (private != (kind == "private") || shared != (kind == "shared")) {
				t.Errorf("%q is %s: private %t, shared %t", dsn, kind, private, shared)
			}
		}
	}
}

// openedKind makes a table by one connection and looks for it by another: one that
// is opened at the same time, and one that is opened when both are closed.
func openedKind(t *testing.T, dsn string) string {
	t.Helper()
	one, two, three := openOne(t, dsn), openOne(t, dsn), openOne(t, dsn)
	defer three.Close()
	_, err := one.Exec("create table here(x)")
	if err != nil {
		one.Close()
		two.Close()
		return "not opened"
	}
	private := !hasTable(t, two)
	noError(t, errors.Join(one.Close(), two.Close()))
	stays := hasTable(t, three)
	if stays {
		_, err = three.Exec("drop table here")
		noError(t, err)
	}
	switch {
	case private && !stays:
		return "private"
	case !private && !stays:
		return "shared"
	case !private:
		return "file"
	}
	t.Errorf("%q: not seen while it was open, but later", dsn)
	return "?"
}

// openOne opens a pool that has one connection, once it is used.
func openOne(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn)
	noError(t, err)
	db.SetMaxOpenConns(1)
	return db
}

func hasTable(t *testing.T, db *sql.DB) bool {
	t.Helper()
	var n int
	noError(t, db.QueryRow("select count(*) from sqlite_schema where name = 'here'").Scan(&n))
	return n > 0
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
