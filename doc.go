// Package sqlaio is the root of a module that gives every connection of
// database/sql an OS thread of its own, and makes asynchronous calls on it.
// It has no code; start with one of these packages:
//
//   - [github.com/sqlaio/sqlaio/driver/sqlite3]: SQLite under the ordinary
//     database/sql API. Import it in place of mattn/go-sqlite3.
//   - [github.com/sqlaio/sqlaio/driver/mysql]: the same for MySQL and MariaDB,
//     in place of go-sql-driver/mysql.
//   - [github.com/sqlaio/sqlaio/driver]: the same for any other driver, and the
//     options: what runs on a thread before it connects, how far rows are read ahead.
//   - [github.com/sqlaio/sqlaio/overlay]: asynchronous calls. Futures, transactions
//     and savepoints, batches, whole functions on a connection's thread.
//   - [github.com/sqlaio/sqlaio/overlay/overlaytest]: an engine on a mock, for tests.
//   - [github.com/sqlaio/sqlaio/overlay/debug]: a page that shows what an engine is doing.
//   - github.com/sqlaio/sqlaio/otel: OpenTelemetry spans and metrics; a module of its own.
//   - [github.com/sqlaio/sqlaio/reflectguard]: finds calls that block where they
//     should not.
//   - [github.com/sqlaio/sqlaio/warnings]: decides what becomes of warnings.
//   - [github.com/sqlaio/sqlaio/threadpin]: the workers under it all, for other uses
//     of a goroutine that is locked to its thread.
//
// The change to an existing program is an import and a name:
//
//	import _ "github.com/sqlaio/sqlaio/driver/sqlite3"
//
//	db, err := sql.Open("aio", "sqlite3:app.db")
//
// With it a call whose context ends is stopped in SQLite, and its connection stays
// in the pool. Asynchronous calls return a future at once:
//
//	engine, err := overlay.Open("sqlite3", "app.db")
//	if err != nil {
//		return err
//	}
//	defer engine.Shutdown(ctx)
//
//	users := engine.QueryAsync(ctx, "SELECT id, name FROM users")
//	count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users") // both are under way
//
// The README has a tour, the costs, and a table of error messages.
package sqlaio
