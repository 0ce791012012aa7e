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
// What stands before the first colon names the real driver, the rest is its data
// source name. [Wrap], [Register], [NewConnector] and [OpenDB] do the same for
// values, and take options.
//
// # What is the same
//
// database/sql cannot tell a wrapped driver from the bare one: results, errors
// (returned as they are), the pool's behaviour and the order of the inner
// driver's calls are the same. What shows is the type of db.Driver(), whose
// method Unwrap returns the inner driver, and that of the connection in
// sql.Conn.Raw; [Raw] hands out the inner one.
//
// # What is different
//
// Every method of the inner connection, its statements, transactions and rows
// runs on the connection's thread, whatever goroutine the call comes from, and
// so do the callbacks that a C library makes meanwhile. A call costs one hop
// (see package threadpin), to which all that database/sql asks before and
// after is added: the checks of the arguments, the columns, the first rows,
// the result's values, IsValid. Hops of their own cost only ResetSession,
// Rows.ColumnTypes, and Rows.Close unless the hop that read the rows has met
// their end and the driver's rows have no column types or its [Traits] say QuietEnd. The
// inner driver may therefore see LastInsertId, Columns or the Next of a few
// rows that the application never asks for; see [WithBatch].
//
// # Rows
//
// The worker reads rows ahead of Rows.Next, in batches that grow from a few to
// 256, and each row can be taken as soon as it has arrived. The
// connection's other calls queue behind the batch under way.
//
// # Cancellation
//
// For drivers with an [Adapter] the inner driver is given contexts that never
// end. The caller, who waits anyway, watches the context and interrupts the
// call in the database when it ends. A call that returns the context's error
// has either never started or was stopped; one that was finished in time is
// reported as such. An interrupt cannot reach another call. Without an adapter
// the context goes to the inner driver.
//
// # Threads
//
// A thread starts with its connection and ends with it. [WithThread] names it,
// prepares it, and caps their number (1000 in a process unless set otherwise):
// opening a connection past the cap is an error that says so.
package driver
