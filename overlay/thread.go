package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/internal/pinned"
)

// RunInThread calls fn on the thread of a connection: an Engine's or a Conn's. It
// costs one hop. The calls that fn makes on the sql.Conn, and on the statements and
// transactions made from it, cost none. Only fn's own goroutine may make them. On a Conn
// that has a transaction, of WithTx or RetryTx for one, they are made in it.
//
// When ctx ends, or Cancel is called, the context that fn gets ends too, and the
// statement that runs is stopped. fn should use that context. If fn has not returned
// 100 ms later, the future completes with ErrOutcomeUnknown, and the thread goes on
// with fn. A panic in fn comes out of Await as a *threadpin.PanicError.
//
// Rows and statements that fn leaves open are closed. A transaction that it leaves
// open is rolled back, and the error says so (ErrTxLeftOpen). On a Conn, one that the
// text of a statement has begun stays open.
func RunInThread[T any](ctx context.Context, to Target, fn func(ctx context.Context, c *sql.Conn) (T, error)) *Future[T] {
	return send(ctx, to, callOptions{kind: function, op: pinned.OpFunction, describe: "RunInThread"}, func(ctx context.Context, l *lane) (v T, err error) {
		if fn == nil {
			return v, errNoFunction
		}
		err = l.callFunction(ctx, func(c *sql.Conn) (err error) {
			v, err = fn(ctx, c)
			return err
		})
		return v, err
	})
}

// callFunction calls an application's function with a sql.Conn of its own.
func (l *lane) callFunction(ctx context.Context, fn func(c *sql.Conn) error) (err error) {
	if err := l.free(); err != nil {
		return err
	}
	g, err := face.NewInline(ctx, l.pc)
	if err != nil {
		return err
	}
	outer := l.function
	l.function = g.Conn
	defer func() {
		l.function = outer
		left := g.End()
		if c, ok := ctx.(*callContext); ok {
			c.stop() // for the goroutines of database/sql that watch it
		}
		err = guestError(err, left)
	}()
	return fn(g.Conn)
}

// guestError is the error of a function that has had a guest, and may have left a
// transaction open. Guests do not show ErrBadConn.
func guestError(err error, left bool) error {
	if left {
		err = leftOpen(err)
	}
	if errors.Is(err, pinned.ErrLost) {
		err = fmt.Errorf("%w (%w)", err, driver.ErrBadConn)
	}
	return err
}

// leftOpen is the error of a call that has left a transaction open.
func leftOpen(err error) error {
	if err == nil {
		return pinned.ErrTxLeftOpen
	}
	return fmt.Errorf("%w (%w)", err, pinned.ErrTxLeftOpen)
}
