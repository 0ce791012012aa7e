package overlay

import "errors"

var (
	// ErrClosed is returned by calls on an Engine, Conn or Result that was closed
	// or is shutting down.
	ErrClosed = errors.New("overlay: closed")

	// ErrQueueFull is returned by calls for which there is no room in the queue.
	// Await some of the futures first, or see WithQueue.
	ErrQueueFull = errors.New("overlay: too many calls are waiting (see WithQueue)")

	// ErrWouldDeadlock is returned when a future is awaited on the very thread
	// that its call needs, or on the last lane that could run it.
	ErrWouldDeadlock = errors.New("overlay: waiting here would wait for itself: the call needs the thread that waits for it")

	// ErrInTransaction is returned by BeginAsync on a Conn with an open
	// transaction. BeginNestedAsync makes a savepoint in it.
	ErrInTransaction = errors.New("overlay: a transaction is open already (BeginNestedAsync makes a savepoint)")

	// ErrConcurrentTx is returned by a call in a transaction that comes from
	// another goroutine than one that is under way. The call was not made. Await
	// the other one first, or use a Conn for each goroutine.
	ErrConcurrentTx = errors.New("overlay: two goroutines use one transaction at once")

	// ErrReturnsNoRows is returned by the fetch methods of a Result of a
	// statement that returns no rows. (A query that has no more of them
	// returns sql.ErrNoRows.)
	ErrReturnsNoRows = errors.New("overlay: the statement returns no rows")

	// ErrMemoryDB is returned by Open for an SQLite database in memory with more
	// than one lane: each of their connections would have a database of its own.
	ErrMemoryDB = errors.New("overlay: each connection to :memory: has a database of its own: use one lane (WithLanes(1)), or the DSN file::memory:?cache=shared")

	// ErrOutcomeUnknown is wrapped by the error of RetryTx whose commit was sent but
	// not answered, or not clearly: the transaction may have been committed. Only
	// a look at the data can tell. The driver's error is wrapped too.
	ErrOutcomeUnknown = errors.New("overlay: it is unknown whether the transaction was committed")

	errDropped    = errors.New("overlay: the rest of the rows is gone: another call on the connection was interrupted")
	errNoFutures  = errors.New("overlay: Any needs a future")
	errNoInsert   = errors.New("overlay: the statement returns rows, and no key")
	errLost       = errors.New("overlay: the database has rolled the transaction back by itself after an error in it; end it before the next statement")
	errRolledBack = errors.New("overlay: nothing to commit: the database has rolled the transaction back by itself after an error in it")
)
