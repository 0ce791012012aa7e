package drivertest

import (
	"context"
	"database/sql/driver"
)

// The optional interfaces of a connection, each in a type of its own, to be
// embedded beside *conn. The types' names are lower case because an embedded
// field hides a promoted method of the same name.
type (
	pinger       struct{ c *conn }
	execer       struct{ c *conn }
	execerCtx    struct{ c *conn }
	queryer      struct{ c *conn }
	queryerCtx   struct{ c *conn }
	preparerCtx  struct{ c *conn }
	txBeginner   struct{ c *conn }
	resetter     struct{ c *conn }
	validator    struct{ c *conn }
	valueChecker struct{ c *conn }
)

func (p pinger) Ping(ctx context.Context) error { return p.c.ping(ctx) }

func (e execer) Exec(query string, args []driver.Value) (driver.Result, error) {
	return e.c.exec("Conn.Exec", nil, query, renderValues(args), named(args))
}

func (e execerCtx) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return e.c.exec("Conn.ExecContext", ctx, query, renderNamed(args), args)
}

func (q queryer) Query(query string, args []driver.Value) (driver.Rows, error) {
	return q.c.query("Conn.Query", nil, query, renderValues(args), named(args))
}

func (q queryerCtx) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return q.c.query("Conn.QueryContext", ctx, query, renderNamed(args), args)
}

func (p preparerCtx) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return p.c.prepare("Conn.PrepareContext", ctx, query)
}

func (b txBeginner) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return b.c.beginTx(ctx, opts)
}

func (r resetter) ResetSession(ctx context.Context) error { return r.c.resetSession(ctx) }

func (v validator) IsValid() bool { return v.c.isValid() }

func (v valueChecker) CheckNamedValue(nv *driver.NamedValue) error { return v.c.checkNamedValue(nv) }

// Interfaces that usually come together.
type (
	ctxPaths struct { // ExecerContext, QueryerContext
		execerCtx
		queryerCtx
	}
	oldPaths struct { // Execer, Queryer
		execer
		queryer
	}
	session struct { // SessionResetter, Validator
		resetter
		validator
	}
	ctxBasics struct { // Pinger, ConnPrepareContext, ConnBeginTx
		pinger
		preparerCtx
		txBeginner
	}
)

func newCtxPaths(c *conn) ctxPaths   { return ctxPaths{execerCtx{c}, queryerCtx{c}} }
func newOldPaths(c *conn) oldPaths   { return oldPaths{execer{c}, queryer{c}} }
func newSession(c *conn) session     { return session{resetter{c}, validator{c}} }
func newCtxBasics(c *conn) ctxBasics { return ctxBasics{pinger{c}, preparerCtx{c}, txBeginner{c}} }

// named gives positional values their ordinals.
func named(args []driver.Value) []driver.NamedValue {
	list := make([]driver.NamedValue, len(args))
	for i, v := range args {
		list[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return list
}
