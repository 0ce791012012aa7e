// Package mysql teaches sqlaio about github.com/go-sql-driver/mysql. Import it
// for its side effects in place of that driver, which it imports itself:
//
//	import (
//		_ "github.com/sqlaio/sqlaio/driver"
//		_ "github.com/sqlaio/sqlaio/driver/mysql"
//	)
//
//	db, err := sql.Open("aio", "mysql:user:password@tcp(127.0.0.1:3306)/shop")
//
// # Contexts
//
// The driver itself ends a cancelled call by closing the connection, which
// leaves the statement running on the server. With this package the statement
// is ended by KILL QUERY, sent over a second connection to the same server, and
// the connection stays usable. The user needs no privilege for that. If the
// server cannot be reached within a second, refuses the second connection or the
// KILL, or does not stop the statement in two, the connection is closed after
// all. A large change that the server is undoing is waited for longer.
//
// What the server has stopped in a table without transactions, such as MyISAM's,
// stays as far as it had come, and so does what a procedure has committed before.
// LOAD DATA LOCAL ends when its data does: the server reads all of it before it
// reports that it was stopped.
//
// A connection id means something only on one server. So KILL is sent only if
// the second connection demonstrably reached the server that the first one is
// connected to, and only if the id that the server announced is the session's
// own: behind a proxy that shares server sessions among clients it is not, and
// a KILL could hit somebody else's statement. There, and on connections from
// dialers that this package does not see (below), contexts keep the meaning the
// driver gives them.
//
// MariaDB stops SLEEP in a DO statement, GET_LOCK and BENCHMARK when they are
// killed, and reports success; MySQL does so for every SLEEP. Such a statement
// counts as finished.
//
// # Transactions
//
// The status that the server sends with every success tells whether a
// transaction is open. An error carries none, and may have ended a transaction
// (a deadlock) or begun one (a procedure that fails later on): after an error
// the server is asked by a ping, one more round trip.
//
// # Dialers
//
// The package registers dialers for the networks tcp, tcp4, tcp6 and unix, which
// dial as the driver does without them. They watch the server's greeting for
// the connection id and, on Linux, let a connection's thread wait for the server
// in the kernel instead of in Go's network poller, which costs a goroutine that
// is locked to a thread two more thread switches.
//
// A dialer of the program's own is never bypassed: Config.DialFunc and networks
// registered with mysql.RegisterDialContext are used as they are, and one
// registered for tcp or unix replaces this package's. (Only one that was
// registered in an init function that ran before this package's is replaced.)
// Such a dialer can give its connections the same service with [WrapConn].
package mysql
