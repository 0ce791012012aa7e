// Package pinned keeps an inner connection on one OS thread, and knows its state. It
// is the only code that calls an inner driver.
//
//	overlay  (asynchronous face)      internal/face  (database/sql face)
//	    └───────────────┬───────────────────┘
//	             pinned.Conn     one inner connection and its thread
//	                  │
//	           internal/thread    the hop
//
// # Who owns what
//
// The state of a connection belongs to its thread: its transaction, its open rows and
// statements, and what a stopped call has left behind. Faces use it inside
// [Conn.Run], which carries out every call. Run never takes a lock that anybody holds
// while waiting for the thread.
//
// What other goroutines may do is listed at [Call] (stop it, leave it) and at
// [Conn] (Later, Worker, Close).
package pinned
