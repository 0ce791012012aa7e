package overlay

import (
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

var (
	// ErrClosed is returned by calls on an Engine, Conn or Result that was closed
	// or is shutting down.
	ErrClosed = errors.New("overlay: closed")

	// ErrQueueFull is returned by calls for which there is no room in the queue.
	// Await some of the futures first, or see WithQueue.
	ErrQueueFull = errors.New("overlay: too many calls are waiting (see WithQueue)")

	// ErrWouldDeadlock is returned when a future is awaited on the very thread
	// that its call needs, or on the last lane that could run it, and by a call
	// that would wait for the connection that its own WithTx holds. It is also
	// returned when all connections are held by those who wait for another one.
	ErrWouldDeadlock = pinned.ErrWouldDeadlock

	// ErrInTransaction is returned by BeginAsync on a Conn with an open
	// transaction. BeginNestedAsync makes a savepoint in it.
	ErrInTransaction = pinned.ErrInTransaction

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

	// ErrOutcomeUnknown is wrapped by the error of a write, a COMMIT or a function
	// that may have been carried out, in whole or in part. Its connection broke, or
	// it had not ended 100 ms after it was to stop, or it was a text of several
	// statements or a CALL that was stopped in the middle, or SQLite met an I/O error
	// when it may have been committing, or it was carried out and what it returned did not
	// fit. Look at the data. The context's error is wrapped
	// too if that has ended, or else the driver's; driver.ErrBadConn may stand in the text
	// alone.
	ErrOutcomeUnknown = pinned.ErrOutcomeUnknown

	// ErrRolledBack is wrapped by the error of a statement or a commit in a
	// transaction that the database has rolled back by itself. The error that
	// made it do so is wrapped too. Roll back and begin again. If the text of a
	// statement has begun the transaction, statements are refused until the text of
	// one is a ROLLBACK or a BEGIN.
	ErrRolledBack = pinned.ErrRolledBack

	// ErrTxEnded is wrapped by the error of a statement or a commit in a
	// transaction that an earlier statement has ended: DDL on MySQL, or a COMMIT
	// or ROLLBACK in the text of a statement. What was done before that may have
	// been committed.
	ErrTxEnded = pinned.ErrTxEnded

	// ErrTxLeftOpen is wrapped by the error of a call that has left a transaction
	// open on a connection that others use too. It was rolled back.
	ErrTxLeftOpen = pinned.ErrTxLeftOpen

	// ErrResultTooLarge is wrapped by the error of a query whose rows take more
	// memory than WithResultLimit allows. StreamAsync has no such limit.
	ErrResultTooLarge = errors.New("overlay: the result is too large to be kept in memory: use StreamAsync, or raise WithResultLimit")

	// ErrStreamOpen is returned by a call on a Conn while a stream is open, or rows
	// of SyncConn are, if the connection can have only one result open. Read it to
	// its end, or close it.
	ErrStreamOpen = errors.New("overlay: a stream is open on this connection: read it to its end or close it first")

	// ErrNoWriter is returned by Write on an Engine without a writer, and where
	// WithWriter cannot be had: by Open, or by the calls of an Engine made by New.
	ErrNoWriter = errors.New("overlay: a writer (WithWriter) needs an SQLite database in a file, the adapter driver/sqlite3, and a sql.DB that allows at least two connections")

	// ErrReadOnlyTx is returned by a statement that may write in a read-only
	// transaction of an Engine with a writer.
	ErrReadOnlyTx = pinned.ErrReadOnlyTx

	errRowsOpen = fmt.Errorf("%w (they are rows of SyncConn, or of a function's sql.Conn)", ErrStreamOpen)

	errNoFutures     = errors.New("overlay: Any needs a future")
	errNoFunction    = errors.New("overlay: the function is nil")
	errNoInsert      = errors.New("overlay: the statement returns rows, and no key")
	errNoResult      = errors.New("overlay: the driver has returned no result")
	errNotAio        = errors.New("overlay: the sql.DB is not of the driver aio: open it with sql.Open(\"aio\", …)")
	errScoped        = errors.New("overlay: WithTx and WithNested end their transaction themselves, as their function returns")
	errStillUnderway = errors.New("overlay: rolled back, since a call was still under way as the function returned: await it")
)
