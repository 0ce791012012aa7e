// Package mysql is the adapter for github.com/go-sql-driver/mysql. Import it in place of
// that package, which it imports itself:
//
//	import _ "github.com/sqlaio/sqlaio/driver/mysql"
//
//	db, err := sql.Open("aio", "mysql:user:password@tcp(127.0.0.1:3306)/shop")
//
// # Contexts
//
// When a call is cancelled, the driver itself closes the connection, which leaves
// the statement running on the server. This package stops the statement with KILL
// QUERY, sent over a second connection to the same server, and the connection
// stays usable. The user needs no privilege for that. The connection is closed
// after all if the server cannot be reached within a second, refuses the second
// connection or the KILL, or does not stop the statement within two seconds. A
// large change that the server is undoing gets more time. The driver logs each connection
// that is closed under it, with "use of closed network connection", as its Config.Logger
// says.
//
// A table without transactions, such as one of MyISAM, keeps the rows that a
// stopped statement has written, and what a procedure has committed stays too.
// LOAD DATA LOCAL ends when its data does: the server reads all of it before it
// reports that it was stopped.
//
// A connection id means something only on one server. So KILL is sent only if two
// things are certain: the second connection has reached the same server as the
// first, and the id that the server announced is the session's own. Behind a proxy
// that shares server sessions among clients it is not, and a KILL could hit
// somebody else's statement. There, and on connections from dialers that this
// package does not see (below), contexts mean what they mean to the driver.
//
// MariaDB stops SLEEP in a DO statement, GET_LOCK and BENCHMARK when they are
// killed, and reports success; now and then it does so for a SLEEP in another
// statement, as MySQL does for every SLEEP. Such a statement counts as finished.
//
// # Transactions
//
// With every success the server sends a status that tells whether a transaction is
// open. With an error it sends none, and the call may have ended a transaction (a
// deadlock) or begun one (a procedure that fails later on). So after an error the
// server is asked by a ping, one more round trip.
//
// # Dialers
//
// The package registers dialers for the networks tcp, tcp4, tcp6 and unix, which
// dial as the driver does without them. They read the connection id from the
// server's greeting. On Linux they also let a connection's thread wait for the
// server in the kernel. In Go's network poller the wait would cost a goroutine
// that is locked to a thread two more thread switches.
//
// The caller meanwhile waits actively for up to 200 µs, as for any call, if the last one
// took no longer. On two virtual cores, with the server on the same machine, a query of one
// round trip takes 100 to 140 µs so, and 140 to 180 µs of processor time. If the caller
// slept it would take 250 to 350 µs, and 140 to 240 of processor time: waking a thread costs
// more than the wait. After longer calls the caller sleeps.
//
// The program's own dialers are used as they are: Config.DialFunc, and networks
// registered with mysql.RegisterDialContext. One registered for tcp or unix
// replaces this package's, unless it was registered by an init function that ran
// before this package's. Such a dialer can use [WrapConn] to give its connections
// the same service.
package mysql
