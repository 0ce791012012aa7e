// Package pinned keeps one inner connection on one OS thread, together with all
// that is known of its state. It is the only code that calls an inner driver.
//
//	overlay  (asynchronous face)      internal/face  (database/sql face)
//	    └───────────────┬───────────────────┘
//	             pinned.Conn     one inner connection and its thread
//	                  │
//	           internal/thread    the hop
//
// # Who owns what
//
// The state of a connection belongs to its thread: its transaction, the rows and
// statements that are open, what a stopped call has left behind. Faces ask for
// it inside [Conn.Run], which is the one place that carries out a call. Run never
// takes a lock that anybody holds while waiting for the thread.
//
// What other goroutines may do is listed at [Call] (stop it, leave it) and at
// [Conn] (Later, Worker, Close).
package pinned
