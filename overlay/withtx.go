package overlay

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"

	"github.com/sqlaio/sqlaio/reflectguard"
)

// WithTx calls fn with a connection in a transaction. It commits when fn returns nil,
// and rolls back when fn returns an error or panics. fn must not end it. It also rolls back, and returns
// an error, if a statement has failed and nobody has looked at its error, or if a call
// is still under way when fn returns. WithTx blocks until the transaction has ended.
//
// The error is fn's or that of the commit. Then nothing of the transaction is kept,
// unless the error wraps ErrOutcomeUnknown or ErrTxEnded. The latter says that a
// statement, such as DDL on MySQL, may have committed what came before it. A
// connection that turns out to be dead when the transaction begins is replaced.
func (e *Engine) WithTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	after, err := waits(ctx, "Engine.WithTx")
	if err != nil {
		return err
	}
	defer after()
	place := caller(e.config)
	for attempt := 1; ; attempt++ {
		stale := false
		err := e.withConn(ctx, place, func(ctx context.Context, c *Conn) error {
			begun := c.BeginAsync(ctx, opts)
			begun.Await(reflectguard.MayBlock(ctx))
			if _, err, ok := begun.TryResult(); ok && isBad(err) {
				stale = c.s.lease.reused || attempt <= 2
				return err
			}
			return c.within(ctx, begun, fn)
		})
		if !stale {
			return err
		}
	}
}

// WithTx is Engine.WithTx on this connection.
func (c *Conn) WithTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	after, err := waits(ctx, "Conn.WithTx")
	if err != nil {
		return err
	}
	defer after()
	return c.within(ctx, c.BeginAsync(ctx, opts), fn)
}

// WithNested is WithTx with a savepoint.
func (c *Conn) WithNested(ctx context.Context, fn func(ctx context.Context, c *Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	after, err := waits(ctx, "Conn.WithNested")
	if err != nil {
		return err
	}
	defer after()
	return c.within(ctx, c.BeginNestedAsync(ctx), fn)
}

func (c *Conn) within(ctx context.Context, begun *Future[*Tx], fn func(ctx context.Context, c *Conn) error) (err error) {
	quiet := reflectguard.MayBlock(ctx) // the caller has warned
	tx, err := begun.Await(quiet)
	if err != nil {
		begun.Cancel()
		begun.whenDone(func() { // by no dispatcher: the rollback comes before the next call
			if begun.err == nil { // it came after all
				begun.value.CloseAsync(background)
			}
		})
		return err
	}
	tx.scoped.Store(true)
	sc := &scope{s: c.s, level: tx.level}
	sc.open()
	committed := false
	defer func() { // after a panic, too
		sc.close()
		if committed {
			return
		}
		sc.stop() // the rollback would wait for it
		if doubt := c.rollBack(ctx, tx); doubt != nil && err != nil && !errors.Is(err, doubt) {
			err = fmt.Errorf("%w (%w)", err, doubt)
		}
	}()
	err = fn(sc.mark(ctx), c)
	if err == nil {
		err = sc.verdict()
	}
	if err != nil {
		return err
	}
	sc.close()
	_, err = tx.sendEnd(ctx, true).Await(quiet)
	committed = err == nil || tx.over.Load()
	return err
}

// rollBack rolls back, and waits for that until 100 ms after ctx's end. If the server
// has not answered by then, the connection is cut. rollBack returns ErrTxEnded if a
// statement had ended the transaction before, and ErrOutcomeUnknown if one that is
// still under way may end it. It returns nil if nothing of the transaction is kept.
func (c *Conn) rollBack(ctx context.Context, tx *Tx) (doubt error) {
	o := tx.closing(caller(c.s.config))
	o.quiet = true
	rolling := background
	if !tx.over.Load() {
		rolling = o.tracedTidy(ctx, c.s.config)
	}
	f := start(rolling, c.s.queue, o, func(_ context.Context, l *lane) (struct{}, error) {
		defer runtime.KeepAlive(tx)
		return struct{}{}, l.endIfOpen(tx.level)
	})
	behind := false
	if !c.settled(ctx, &f.core) {
		c.s.lane.pc.HangUp()
		behind = f.cancel.(*call).phase.Load() == waiting
	}
	switch {
	case tx.tx.Ended():
		return ErrTxEnded
	case behind:
		return ErrOutcomeUnknown
	}
	return nil
}
