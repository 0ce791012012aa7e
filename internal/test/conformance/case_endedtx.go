package conformance

import (
	"context"
	"database/sql"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// endedTxCases end the context of a transaction: database/sql rolls back, and
// keeps the connection only if that has SessionResetter and Validator.
func endedTxCases() []Case {
	return []Case{
		{Name: "EndedTx/Idle", On: sessionKinds, Body: endedTxIdle},
		{Name: "EndedTx/RowsOpen", On: sessionKinds, Body: endedTxRowsOpen},
		{Name: "EndedTx/StmtOpen", On: sessionKinds, Body: endedTxStmtOpen},
		{Name: "EndedTx/InConn", On: sessionKinds, Body: endedTxInConn},
		{Name: "EndedTx/Running", On: ctxKinds, Body: endedTxRunning},
		{Name: "EndedTx/AfterCommit", On: sessionKinds, Body: endedAfterCommit},
		// The connection, which may be in the transaction still, is dropped: the bare
		// driver's next caller works inside of it.
		{Name: "EndedTx/RollbackFails", On: sessionKinds, SeenOnly: true, Body: endedTxRollbackFails},
	}
}

// beginCancellable begins a transaction under a context of its own.
func (e *Env) beginCancellable() (*sql.Tx, context.CancelFunc) {
	ctx, cancel := context.WithCancel(background)
	e.atEnd(cancel)
	tx, err := e.DB.BeginTx(ctx, nil)
	e.Err("Begin", err)
	return tx, cancel
}

// gone looks at a transaction whose context has ended.
func (e *Env) gone(tx *sql.Tx) {
	e.UntilIdle()
	e.Stats("rolled back")
	e.both("gone", tx, "noop")
	e.Err("Commit", tx.Commit())
	e.Err("Rollback", tx.Rollback())
	everyStep(e)
}

func endedTxIdle(e *Env) {
	for range 2 {
		tx, cancel := e.beginCancellable()
		e.both("tx", tx, "noop")
		cancel()
		e.gone(tx)
	}
}

func endedTxRowsOpen(e *Env) {
	for _, query := range []string{"rows 5", "skip rows 5", "sets 2x2"} {
		tx, cancel := e.beginCancellable()
		rows, err := tx.Query(query)
		e.Err("Query", err)
		e.See("Next", rows.Next())
		cancel()
		e.UntilIdle()
		e.See("Next", rows.Next())
		e.Err("Err", rows.Err())
		e.Err("Close", rows.Close())
		e.gone(tx)
	}
}

func endedTxStmtOpen(e *Env) {
	db := e.prepare("db", e.DB, "echo ?")
	tx, cancel := e.beginCancellable()
	s := e.prepare("tx", tx, "echo ?")
	e.execStmt("stmt", s, 1)
	e.execStmt("db stmt", tx.Stmt(db), 1)
	cancel()
	e.UntilIdle()
	e.execStmt("stmt", s, 1)
	e.Err("Stmt.Close", s.Close())
	e.gone(tx)
	e.execStmt("db stmt", db, 1)
	e.Err("Stmt.Close", db.Close())
}

func endedTxInConn(e *Env) {
	c, err := e.DB.Conn(background)
	if e.Err("Conn", err) {
		return
	}
	ctx, cancel := context.WithCancel(background)
	tx, err := c.BeginTx(ctx, nil)
	e.Err("Begin", err)
	e.exec("tx", tx, "noop")
	cancel()
	e.UntilCalled("Tx.Rollback", 1)
	if e.Kind.Has(dt.SessionResetter | dt.Validator) {
		e.exec("kept", c, "noop")
		e.Err("Conn.Close", c.Close())
	} else {
		e.UntilCalled("Conn.Close", 1)
		e.UntilIdle()
		e.exec("dropped", c, "noop")
		e.Err("Conn.Close", c.Close())
	}
	e.gone(tx)
}

// endedTxRunning ends the context while a statement of the transaction runs
// under another.
func endedTxRunning(e *Env) {
	tx, cancel := e.beginCancellable()
	ctx, cancelExec := context.WithCancel(background)
	entered, remove := e.onEnter("interruptible")
	wait := e.Go(func() {
		_, err := tx.ExecContext(ctx, "interruptible")
		e.Err("Exec", err)
	})
	<-entered
	cancel()
	cancelExec()
	wait()
	remove()
	e.gone(tx)
}

func endedAfterCommit(e *Env) {
	for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
		tx, cancel := e.beginCancellable()
		e.exec("tx", tx, "noop")
		e.Err("end", end(tx))
		cancel()
		e.gone(tx)
	}
}

func endedTxRollbackFails(e *Env) {
	tx, cancel := e.beginCancellable()
	remove := e.Driver.On("Tx.Rollback", dt.Return(dt.ErrScripted))
	e.prepare("tx", tx, "noop")
	cancel()
	e.UntilIdle()
	remove()
	e.both("gone", tx, "noop")
	e.Err("Commit", tx.Commit())
	e.Err("Rollback", tx.Rollback())
}
