// Package sqlite3 is the adapter for github.com/mattn/go-sqlite3. Import it in
// place of that package:
//
//	import _ "github.com/sqlaio/sqlaio/driver/sqlite3"
//
//	db, err := sql.Open("aio", "sqlite3:app.db")
//
// With it a call whose context ends is stopped by sqlite3_interrupt, and its
// connection stays in the pool. Without it go-sqlite3 watches contexts itself,
// with a goroutine for every Exec, on another thread than the
// connection's.
package sqlite3
