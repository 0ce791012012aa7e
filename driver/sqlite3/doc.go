// Package sqlite3 is the adapter for github.com/mattn/go-sqlite3. Import it in
// place of that package:
//
//	import _ "github.com/sqlaio/sqlaio/driver/sqlite3"
//
//	db, err := sql.Open("aio", "sqlite3:app.db")
//
// With it a call whose context ends is stopped, also while it waits for a lock,
// and its connection stays in the pool. Nothing else on the connection is
// affected, other rows that are open included. For that the adapter sets SQLite's
// progress handler and busy handler; the latter waits as long as _busy_timeout or
// PRAGMA busy_timeout says.
//
// go-sqlite3 needs cgo and a C compiler. In a program that is built without cgo
// every call fails, with an error that says so.
//
// Without the adapter go-sqlite3 watches contexts itself, with a goroutine for every Exec,
// on another thread than the connection's, and by sqlite3_interrupt, which
// also stops what comes later as long as rows are open.
package sqlite3
