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

// RunInThread calls fn on the thread of a connection: an Engine's or a Conn's. All
// of it is one hop: the calls that fn makes on the sql.Conn, and on the statements
// and transactions made from it, are made on the spot. Only fn's own goroutine may
// make them.
//
// ctx's end, and Cancel, end the context that fn gets, and stop the statement that
// runs; fn should use that context. If fn has not returned 100 ms later, the future
// completes with ErrOutcomeUnknown, and the thread goes on with fn. A panic in fn
// comes out of Await as a *threadpin.PanicError.
//
// Rows and statements that fn leaves open are closed. A transaction that it leaves
// open is rolled back, and the error says so (ErrTxLeftOpen); on a Conn a plain
// BEGIN may stay.
func RunInThread[T any](ctx context.Context, to Target, fn func(ctx context.Context, c *sql.Conn) (T, error)) *Future[T] {
	return send(ctx, to, callOptions{kind: function, describe: "RunInThread"}, func(ctx context.Context, l *lane) (v T, err error) {
		err = l.callFunction(ctx, func(c *sql.Conn) (err error) {
			v, err = fn(ctx, c)
			return err
		})
		return v, err
	})
}

// callFunction calls a function of the application's with a sql.Conn of its own.
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
		if left {
			err = leftOpen(err)
		}
		if errors.Is(err, pinned.ErrLost) {
			err = fmt.Errorf("%w (%w)", err, driver.ErrBadConn)
		}
	}()
	return fn(g.Conn)
}

// leftOpen is the error of a call that has left a transaction open.
func leftOpen(err error) error {
	if err == nil {
		return pinned.ErrTxLeftOpen
	}
	return fmt.Errorf("%w (%w)", err, pinned.ErrTxLeftOpen)
}
