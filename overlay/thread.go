package overlay

import (
	"context"
	"database/sql"
)

// RunInThread calls fn on the thread of a connection: an Engine's or a Conn's. All of
// it is one hop, for the calls that fn makes on the sql.Conn, and on the statements and
// transactions made from it, are made on the spot. ctx's end, and Cancel, end the
// context that fn gets, and interrupt the statement that runs; fn
// should use that context. A panic in fn comes out of Await as a
// *threadpin.PanicError. fn must leave the connection as it was: rows closed,
// transactions ended; and must not keep it. A transaction that it leaves open on an
// Engine's connection costs that connection, where the database can tell.
func RunInThread[T any](ctx context.Context, to Target, fn func(ctx context.Context, c *sql.Conn) (T, error)) *Future[T] {
	return send(ctx, to, function, func(ctx context.Context, l *lane) (v T, err error) {
		l.ready()
		l.h.Occupy(func() {
			v, err = fn(ctx, l.sc)
			// Still occupied: a rollback of database/sql's, for a context, holds the lock
			// that Raw wants, and would wait for the thread otherwise.
			if !l.h.Usable() || l.leftInTx() {
				l.dead = true // fn has met driver.ErrBadConn, or closed it
			}
		})
		return v, err
	})
}

// leftInTx reports whether a function has left a transaction open on an Engine's lane, as
// one may whose ROLLBACK was interrupted. The calls of others would become part of it.
func (l *lane) leftInTx() bool {
	if l.home.grow == nil { // a Conn's is its owner's affair
		return false
	}
	stopped := l.current.Load().stopped() != nil
	if stopped && l.h.CanInterrupt() {
		l.dropSources()
		l.ready() // the question may be a query
	}
	auto, ok := l.home.config.dialect.autocommit(l.h, stopped)
	return ok && !auto
}
