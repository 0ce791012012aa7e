// Package overlay makes calls on databases without waiting for them.
//
//	engine, err := overlay.Open("sqlite3", "app.db")
//	if err != nil {
//		return err
//	}
//	defer engine.Shutdown(ctx)
//
//	future := engine.ExecuteAsync(ctx, "SELECT id, name FROM users WHERE name LIKE ?", "D%")
//	// ... something else ...
//	result, err := future.Await(ctx)
//	if err != nil {
//		return err
//	}
//	for row, err := range result.Rows(ctx) {
//		...
//	}
//
// It is built on package driver: each connection has an OS thread of its own. A
// call runs there as one function, from beginning to end. So it costs one hop,
// and no goroutine waits for it.
//
// # Where calls run
//
// An [Engine] has a few lanes, which are connections of its sql.DB. A call goes to
// an idle one, or waits in a queue for the next. A [Conn] is a connection for the
// caller alone, with transactions ([Tx]) and savepoints. [RunInThread] runs a whole
// function on a connection's thread. The database/sql calls in it cost no hop.
//
// # The pool
//
// Beside the lanes, each Conn, each transaction of WithTx or RetryTx and each stream
// takes a connection, and so do those who use [Engine.SyncDB]. By default a sql.DB opens
// as many as are asked for, and keeps two idle ones: under load it opens and closes a
// connection for nearly every transaction. A server gives it limits that leave room
// for the lanes, a writer, and the transactions and streams at one time; who comes later
// waits:
//
//	engine.SyncDB().SetMaxOpenConns(16)
//	engine.SyncDB().SetMaxIdleConns(16)
//
// # Results
//
// The rows of QueryAsync and ExecuteAsync are all in memory when the future
// completes. [WithResultLimit] bounds them. StreamAsync reads rows as they are
// fetched, and keeps a connection meanwhile. [Collect], [One] and [Scalar] return rows
// as values of a type of yours, and [Each] does so for those of a stream.
//
// # Cancelling
//
// When the context given to a call ends, the call is withdrawn if it waits, and
// interrupted if it runs. [Future.Cancel] does the same. The context given to
// [Future.Await] only ends the waiting. A commit that runs is never interrupted.
// A call that has not ended 100 ms after it was to stop is left: its future
// completes, with [ErrOutcomeUnknown] unless the call only reads.
//
// # Transactions that end by themselves
//
// A database may roll a transaction back by itself, and DDL may commit it. Later
// statements would be carried out outside of it, so they are refused, with
// [ErrRolledBack] or [ErrTxEnded]. This is known from the database, or else from the
// texts of the statements. It is not noticed if a procedure, EXECUTE IMMEDIATE, or SET
// STATEMENT commits the transaction and begins another, nor if one text holds DDL and
// statements after it on a MySQL session without autocommit.
//
// # Deadlocks and lost connections
//
// Like database/sql, an Engine repeats a call that met a dead connection.
// [Engine.RetryTx] repeats a whole transaction that failed for a reason that passes:
// a deadlock, a conflict, a lock, a node of a cluster that is gone. It does not repeat
// one that may have been committed ([ErrOutcomeUnknown]).
//
// # What is left open
//
// A [Conn], a [Tx] or the [Result] of a stream that is garbage collected while it is
// open is closed on its own thread. A warnings.ResourceWarning says where it was made.
// A [Future] whose error nobody looked at gives a warnings.UnawaitedWarning.
//
// # Coming from sqlalchemy_aio
//
// The README maps its names to those of this package. A method whose name ends in
// Async returns a Future.
package overlay
