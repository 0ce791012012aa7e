// Package debug shows what an overlay.Engine is doing: a page to open when something
// is stuck.
//
//	mux.Handle("/debug/sqlaio", debug.Handler(engine))
//
// It says what runs, for how long, and from which line of the application; what waits,
// and where that was called; who holds a connection, a transaction or a stream; how long
// calls have waited and run; and the last slow ones. It shows no data source names, no
// errors and, unless [WithValues] is given, no values: in statements they are "?".
// Statements and file names are not for everybody either, so the page belongs where
// net/http/pprof does.
//
// Places are not known with overlay.WithoutPlaces. What is done with SyncDB and by the
// engine's blocking methods is counted in the pool, and not shown.
//
// # JSON
//
// With ?format=json the answer is one object. Times since when are RFC 3339, durations
// are seconds. A place is null, or an object with file, line and function.
//
//	time, engine          when it was taken; the kind of database
//	closed                Shutdown was called
//	running[]             what, last_statement (that a function has made), place, since, seconds, waited_seconds,
//	                      state (running; stopping: it was asked to stop; left: and nobody waits
//	                      for it any more, but its thread is busy), on (lane, writer or connection), thread
//	waiting               count, oldest_seconds; calls[]: what, place, count, since, seconds (of the oldest),
//	                      for the "grouped" calls that have waited longest
//	connecting[]          who waits for a connection of their own: place, count, since, seconds
//	connections[]         who has one: place, since, seconds, thread, state (running, idle, closing, lost),
//	                      idle_seconds, waiting, in_transaction,
//	                      transactions[]: what (transaction, savepoint), place, since, seconds,
//	                      streams[]: what, place, since, seconds, buffered_rows
//	lanes                 most, opening; open[]: thread, state (running; idle: gives its connection back after 100 ms),
//	                      since, seconds
//	writer                the connection of overlay.WithWriter: thread, state, since, seconds; or null
//	pool                  the sql.DB: most (0: no limit), open, in_use, in_use_by_engine, waiting (in the engine),
//	                      waits and waited_seconds (in the pool, ever)
//	dispatcher_waiting    functions that wait for the dispatcher
//	stats                 overlay.Stats
//	times                 waiting[], running[]: how many calls waited, and ran, for less than below_seconds; the last
//	                      one has no limit
//	slow                  calls that ran for after_seconds and more: count; the last of them, calls[]: what, place,
//	                      ended, seconds, waited_seconds, outcome (done, failed, stopped)
//
// Later versions may add fields.
package debug
