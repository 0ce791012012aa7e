// Package driver is a database/sql driver, registered as "aio", that wraps
// other drivers and gives every connection an OS thread of its own.
//
//	import (
//		"database/sql"
//		_ "github.com/sqlaio/sqlaio/driver/sqlite3" // registers sqlite3 too
//	)
//
//	db, err := sql.Open("aio", "sqlite3:app.db")
//
// The name before the first colon is the real driver's. The rest is its data source
// name. [Wrap], [Register], [NewConnector] and [OpenDB] do the same for driver
// values, and take options.
//
// # What is the same
//
// Results, the driver's errors, the pool's behaviour and the order of the inner
// driver's calls are the same as with the bare driver. The types differ: db.Driver()
// is a wrapper whose method Unwrap returns the inner driver, and the function given
// to sql.Conn.Raw gets the wrapper's connection. [Raw] hands out the inner one.
//
// # What is different
//
// Every method of the inner connection, its statements, transactions and rows
// runs on the connection's thread, whatever goroutine the call comes from. So do
// the callbacks that a C library makes meanwhile.
//
// A call costs one hop (see package threadpin). What database/sql asks before and
// after is part of that hop: the checks of the arguments, the columns, the first
// rows, the result's values, IsValid. The inner driver may therefore see
// LastInsertId, Columns or the Next of a few rows that the application never asks
// for; see [WithBatch]. Rows.ColumnTypes costs a hop, and so does the ResetSession before
// each use of a pooled connection, unless the adapter sees that it has nothing to do.
// Rows.Close costs one too if rows are left. After the last one it does so only if the
// driver's rows have column types and its [Traits] do not say QuietEnd.
//
// # Rows
//
// The worker reads rows ahead of Rows.Next, in batches that grow from a few to
// 256. Each row can be taken as soon as it has arrived. The connection's other
// calls wait for the batch under way.
//
// # Cancellation
//
// If the driver has an [Adapter], the inner driver gets contexts that never end. The
// caller, who waits anyway, watches the context, and interrupts the call in the
// database when it ends. A call that returns the context's error alone has never
// started, or was stopped. If it was finished in time, its result is reported. An
// interrupt cannot reach another call. A write or a commit whose outcome could not be
// learned fails with [ErrOutcomeUnknown]. Without an adapter the context goes to the
// inner driver.
//
// # Transactions
//
// After the database has rolled a transaction back by itself, its statements and its
// commit fail with [ErrRolledBack], as far as the driver tells. A transaction that the
// text of a statement has begun is rolled back when its connection comes back to the
// pool, with a warnings.ResourceWarning.
//
// # Tracing
//
// [WithTracer] has a [Tracer] told of each call, also of those that package overlay makes:
// how long it waited for the thread, how long the thread was busy with it, and what came
// of it. [SlowLog] is such a tracer.
//
// # Threads
//
// A thread starts with its connection and ends with it. [WithThread] names threads,
// prepares them, and caps their number (1000 in a process unless set otherwise).
// Opening a connection past the cap is an error that says so.
package driver
