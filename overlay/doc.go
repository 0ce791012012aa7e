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
// It stands on package driver: each connection has an OS thread of its own, and
// a call is a function that runs there from beginning to end, so that it
// costs one hop and no goroutine waits for it.
//
// # Where calls run
//
// An [Engine] has a few lanes, which are connections of its sql.DB: a call goes to an
// idle one or waits in one queue for the next. A [Conn] is a connection for the
// caller alone, with transactions ([Tx]) and savepoints. [RunInThread] runs a
// whole function on a connection's thread, in which ordinary database/sql calls
// cost no hop at all.
//
// # Cancelling
//
// The context given to a call withdraws it while it waits and interrupts it while it
// runs, and so does [Future.Cancel]. The context given to [Future.Await]
// ends the waiting alone. A commit that runs is never interrupted.
//
// # Deadlocks and lost connections
//
// database/sql makes a call again that met a dead connection, but no transaction.
// [Engine.RetryTx] does, for all that passes: deadlocks, conflicts, locks, nodes of a
// cluster that are gone. It never makes one again whose commit may have been
// made: that is [ErrOutcomeUnknown].
//
// # What is left open
//
// A [Conn], [Tx] or [Result] that is garbage collected without being closed is closed
// on its own thread, with a warnings.ResourceWarning that says where it was
// made. A [Future] whose error nobody looked at gives a warnings.UnawaitedWarning.
//
// # Coming from sqlalchemy_aio
//
// The README maps its names to those of this package. Much is the same without
// the await; what ends in Async returns a Future.
package overlay
