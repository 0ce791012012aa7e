package face

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

type tx struct {
	c     *conn
	ctx   context.Context // BeginTx's: when it ends, database/sql rolls back
	inner *pinned.Tx      // the thread's
	early bool            // the caller's: BeginTx has rolled it back
}

func (c *conn) Begin() (driver.Tx, error) {
	return c.BeginTx(context.Background(), driver.TxOptions{})
}

// BeginTx begins a transaction. One that was begun is returned even if ctx has ended
// meanwhile: with an error it would stay open. If there is still one whose context
// has ended, which database/sql is about to roll back, it is rolled back first: some
// databases commit the old transaction when a new one begins.
func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.ended() != nil {
		t := c.tx
		t.Rollback()
		t.early = true
	}
	t := &tx{c: c, ctx: ctx}
	err := c.blocking(ctx, pinned.OpBegin, "", func(inner context.Context) (err error) {
		t.inner, err = c.pc.Begin(inner, c.held(), opts, false)
		if err == nil && c.pc.Stops() {
			t.inner.EndsWith(ctx)
		}
		return err
	}, func() {
		if t.inner != nil {
			c.pc.Rollback(t.inner)
		}
	})
	if err != nil {
		return nil, err
	}
	c.tx = t
	return t, nil
}

// ended returns the context's error if a transaction is still open whose context has
// ended. A goroutine of database/sql is about to roll it back, but another call of the
// sql.Conn can come first. It would become part of the transaction and be rolled back
// with it, though it was reported as done. A driver without an adapter has to prevent
// that itself.
func (c *conn) ended() error {
	if c.tx == nil || !c.pc.Stops() {
		return nil
	}
	return c.tx.ctx.Err()
}

// Commit is never interrupted: once it is sent, only its answer tells what became of
// the transaction. If the transaction's context ends and the answer does not come in
// time, the connection is cut and the outcome is unknown.
func (t *tx) Commit() (err error) {
	if t.early {
		return t.ctx.Err()
	}
	if t.c.inline && !t.c.pc.OnThread() {
		return errOffThread
	}
	if t.c.over.Load() {
		return sql.ErrConnDone
	}
	t.over()
	c := t.c
	cl := &call{writes: true}
	if _, cl.trace = c.pc.Trace(t.ctx, pinned.OpCommit, "COMMIT"); cl.trace != nil {
		defer func() { cl.trace.End(err) }()
	}
	f := &function{fn: func(context.Context) error { return c.pc.Commit(t.inner) }}
	if err := cl.begin(context.Background(), c, f); err != nil {
		return err
	}
	if cl.task != nil && !cl.task.Wait(nil, t.ctx.Done()) {
		if gone, err := t.hurry(cl); gone {
			return err
		}
	}
	if err := cl.end(); err != nil {
		return unsettled(cl, err)
	}
	return cl.verdict(f.err)
}

// hurry waits up to Grace for a COMMIT whose transaction's context has ended. One that
// has not begun by then becomes a rollback. One that has is left. In both cases the
// call is the thread's, and gone is true.
func (t *tx) hurry(cl *call) (gone bool, err error) {
	c, cause := t.c, t.ctx.Err()
	cl.call.StopBegun(cl.ctx, c.pc, cause) // a wait for a lock may end
	if pinned.AwaitGrace(cl.task, nil) {
		return false, nil
	}
	if cl.call.Stop(cl.ctx, c.pc, cause) {
		c.pc.Later(func() { c.pc.Rollback(t.inner) })
		cl.task.Leave()
		return true, cause
	}
	if !pinned.Leave(&cl.call, cl.task) {
		return false, nil
	}
	c.pc.HangUp()
	return true, cl.leave(cause)
}

// Rollback rolls back. It returns nil if BeginTx has done that already.
func (t *tx) Rollback() (err error) {
	if t.early {
		return nil
	}
	t.over()
	c := t.c
	if c.over.Load() {
		return nil
	}
	_, trace := c.pc.Trace(t.ctx, pinned.OpRollback, "ROLLBACK")
	if c.inline && !c.pc.OnThread() {
		c.pc.Later(func() { trace.End(c.pc.Rollback(t.inner)) })
		return nil
	}
	if trace != nil {
		defer func() { trace.End(err) }()
	}
	cl := &call{}
	cl.trace = trace
	f := &function{fn: func(context.Context) error { return c.pc.Rollback(t.inner) }}
	if err := cl.begin(context.Background(), c, f); err != nil {
		return err
	}
	if cl.task != nil && !cl.task.Wait(nil, t.ctx.Done()) && !pinned.AwaitGrace(cl.task, nil) && pinned.Leave(&cl.call, cl.task) {
		c.pc.HangUp() // the server rolls back, then
		return t.ctx.Err()
	}
	if err := cl.end(); err != nil {
		return unsettled(cl, err)
	}
	return f.err
}

func (t *tx) over() {
	if t.c.tx == t {
		t.c.tx = nil
	}
}

// unsettled returns driver.ErrBadConn if the transaction was not ended because the
// connection could not be settled. It is still open, so the connection must go.
func unsettled(cl *call, err error) error {
	if cl.undone != nil && cl.undone != sql.ErrConnDone {
		return driver.ErrBadConn
	}
	return err
}
