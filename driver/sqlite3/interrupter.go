//go:build cgo

package sqlite3

// #cgo noescape in_transaction
// #cgo nocallback in_transaction
// #cgo noescape unresolved_keys
// #cgo nocallback unresolved_keys
// #include "stopper.h"
// static int in_transaction(void *db) { return !sqlite3_get_autocommit(db); }
// static int unresolved_keys(void *db) {
// 	int now = 0, most = 0;
// 	return sqlite3_db_status && sqlite3_db_status(db, DBSTATUS_DEFERRED_FKS, &now, &most, 0) == OK && now > 0;
// }
import "C"

import (
	"context"
	"errors"
	"runtime"
	"unsafe"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// An interrupter stops the calls of one connection. SQLite asks it, in a
// progress handler and a busy handler, whether the call that runs is to end.
// sqlite3_interrupt would stay in force as long as any statement of the
// connection is active, and stop later calls too.
//
// Interrupt and StopWaiting may be called in any goroutine, also after the
// connection was closed; the other methods on the connection's thread.
type interrupter struct {
	// db is in go-sqlite3's connection, and keeps it from being collected.
	db     *unsafe.Pointer
	stop   *C.stopper // in C's memory, since SQLite holds it too
	memory bool
	inTx   bool // the thread's: a transaction was open after the last call
}

var (
	_ aio.Interrupter   = (*interrupter)(nil)
	_ aio.Settler       = (*interrupter)(nil)
	_ aio.Reader        = (*interrupter)(nil)
	_ pinned.LockWaiter = (*interrupter)(nil)
	_ pinned.TxReporter = (*interrupter)(nil)
	_ pinned.Watcher    = (*interrupter)(nil)
	_ pinned.Volatile   = (*interrupter)(nil)
	_ pinned.KeyChecker = (*interrupter)(nil)
	_ pinned.Patient    = (*interrupter)(nil)
)

// newInterrupter returns nil if SQLite lacks a function.
func newInterrupter(conn *sqlite3.SQLiteConn, db *unsafe.Pointer) *interrupter {
	if C.has_sqlite() == 0 {
		return nil
	}
	raw := (*C.sqlite3)(*db)
	stop := C.new_stopper(raw)
	if stop == nil {
		return nil
	}
	// SQLite asks as long as there is a statement, and statements and rows of
	// go-sqlite3 hold their connection, as the interrupter does.
	runtime.AddCleanup(conn, func(stop *C.stopper) { C.free_stopper(stop) }, stop)
	return &interrupter{db: db, stop: stop, memory: C.in_memory(raw) != 0}
}

// Interrupt makes the call that runs return SQLITE_INTERRUPT, or SQLITE_BUSY if
// it waits for a lock. One call of it is in force until Settle; but a text of many
// short statements may need another. It never blocks.
func (i *interrupter) Interrupt(context.Context) {
	C.ask_to_stop(i.stop)
	if *i.db != nil {
		C.ask_closely(i.stop)
	}
	runtime.KeepAlive(i)
}

// StopWaiting makes the call that runs return SQLITE_BUSY instead of waiting for
// a lock, and has no effect on what it does otherwise. It is in force until
// Settle.
func (i *interrupter) StopWaiting() {
	C.ask_not_to_wait(i.stop)
	runtime.KeepAlive(i)
}

// WaitForLocks has SQLite's time for waits count or not. It has no effect if that is 0.
func (i *interrupter) WaitForLocks(always bool) {
	on := C.int(0)
	if always {
		on = 1
	}
	C.set(&i.stop.patient, on)
	runtime.KeepAlive(i)
}

// Interrupted knows SQLITE_BUSY as the end of a wait only until Settle.
func (i *interrupter) Interrupted(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == sqlite3.ErrInterrupt || e.Code == sqlite3.ErrBusy && i.endedWait()
}

func (i *interrupter) endedWait() bool {
	ended := C.get(&i.stop.ended) != 0
	runtime.KeepAlive(i)
	return ended
}

// Settle takes back Interrupt and StopWaiting. Its error is always nil.
func (i *interrupter) Settle() error {
	open := C.int(0)
	if *i.db != nil {
		open = 1
	}
	C.settle(i.stop, open)
	runtime.KeepAlive(i)
	return nil
}

// InTransaction reports whether a transaction is open that a statement has
// begun. It costs a call of C, and is false once the connection is closed.
func (i *interrupter) InTransaction() bool {
	db := *i.db
	return db != nil && C.in_transaction(db) != 0
}

// Unresolved asks SQLite's counter of deferred foreign keys.
func (i *interrupter) Unresolved() bool {
	db := *i.db
	return db != nil && C.unresolved_keys(db) != 0
}

// TxStatus costs what InTransaction does. A transaction that is over after a call
// that has failed was rolled back by SQLite.
func (i *interrupter) TxStatus(err error) pinned.TxStatus {
	before := i.inTx
	i.inTx = i.InTransaction()
	switch {
	case i.inTx:
		return pinned.TxOpen
	case before && err != nil:
		return pinned.TxLost
	}
	return pinned.TxNone
}

// Memory reports whether the main database is in memory or in a temporary
// file, and so ends with its connections.
func (i *interrupter) Memory() bool { return i.memory }

// ReadsOnly tells by the query's text. SQLite would roll back the whole transaction
// for a write that is interrupted.
func (i *interrupter) ReadsOnly(query string) bool { return sqltext.ReadsOnly(query, sqltext.SQLite) }

// Executing is to be called before a statement is prepared or run, and Executed
// after it, whether it has failed or not. SQLite's own busy handler is back
// in between if the text may ask for its time or set it, which SQLite does
// when it prepares PRAGMA busy_timeout. Without Executing that PRAGMA returns 0.
func (i *interrupter) Executing(query string) {
	if mentionsBusyTimeout(query) && *i.db != nil {
		C.own_busy_handler(i.stop)
		runtime.KeepAlive(i)
	}
}

// Executed makes waits for a lock end with Interrupt again, after a statement
// that has set the time.
func (i *interrupter) Executed(query string) {
	if mentionsBusyTimeout(query) && *i.db != nil {
		C.take_busy_handler(i.stop)
		runtime.KeepAlive(i)
	}
}
