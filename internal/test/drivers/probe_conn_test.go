package drivers

import (
	"context"
	"database/sql/driver"
	"reflect"
)

var connInterfaces = []reflect.Type{
	reflect.TypeFor[driver.ConnPrepareContext](), reflect.TypeFor[driver.ConnBeginTx](),
	reflect.TypeFor[driver.ExecerContext](), reflect.TypeFor[driver.QueryerContext](),
	reflect.TypeFor[driver.Pinger](), reflect.TypeFor[driver.SessionResetter](),
	reflect.TypeFor[driver.Validator](), reflect.TypeFor[driver.NamedValueChecker](),
}

// newProbedConn wraps a connection. The shapes are those of the four drivers.
func newProbedConn(inner driver.Conn, calls *probedCalls) driver.Conn {
	calls.offer("Conn", inner, connInterfaces, "Close")
	c := &probedConn{inner, calls}
	q, p, r, v, n := queries{c}, pings{c}, resets{c}, validates{c}, checks{c.probedCalls, "Conn", inner}
	return exactly[driver.Conn](inner, connInterfaces,
		struct { // ncruces
			*probedConn
			checks
		}{c, n},
		struct { // pgx
			*probedConn
			queries
			pings
			resets
			checks
		}{c, q, p, r, n},
		struct { // modernc
			*probedConn
			queries
			pings
			resets
			validates
		}{c, q, p, r, v},
		struct { // pq
			*probedConn
			queries
			pings
			resets
			validates
			checks
		}{c, q, p, r, v, n})
}

// probedConn has what the connections of all four drivers have.
type probedConn struct {
	inner driver.Conn
	*probedCalls
}

func (c *probedConn) Prepare(query string) (driver.Stmt, error) {
	c.note("Conn.Prepare")
	return c.stmt(c.inner.Prepare(query))
}

func (c *probedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.note("Conn.PrepareContext")
	return c.stmt(c.inner.(driver.ConnPrepareContext).PrepareContext(ctx, query))
}

func (c *probedConn) stmt(inner driver.Stmt, err error) (driver.Stmt, error) {
	if err != nil {
		return nil, err
	}
	return newProbedStmt(inner, c.probedCalls), nil
}

func (c *probedConn) Begin() (driver.Tx, error) {
	c.note("Conn.Begin")
	return c.tx(c.inner.Begin())
}

func (c *probedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.note("Conn.BeginTx")
	return c.tx(c.inner.(driver.ConnBeginTx).BeginTx(ctx, opts))
}

func (c *probedConn) tx(inner driver.Tx, err error) (driver.Tx, error) {
	if err != nil {
		return nil, err
	}
	c.offer("Tx", inner, nil, "Commit", "Rollback")
	return &probedTx{inner, c.probedCalls}, nil
}

func (c *probedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.note("Conn.ExecContext")
	return c.result(c.inner.(driver.ExecerContext).ExecContext(ctx, query, args))
}

func (c *probedConn) Close() error {
	c.note("Conn.Close")
	return c.inner.Close()
}

type queries struct{ c *probedConn }

func (q queries) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q.c.note("Conn.QueryContext")
	return q.c.rows(q.c.inner.(driver.QueryerContext).QueryContext(ctx, query, args))
}

type pings struct{ c *probedConn }

func (p pings) Ping(ctx context.Context) error {
	p.c.note("Conn.Ping")
	return p.c.inner.(driver.Pinger).Ping(ctx)
}

type resets struct{ c *probedConn }

func (r resets) ResetSession(ctx context.Context) error {
	r.c.note("Conn.ResetSession")
	return r.c.inner.(driver.SessionResetter).ResetSession(ctx)
}

type validates struct{ c *probedConn }

func (v validates) IsValid() bool {
	v.c.note("Conn.IsValid")
	return v.c.inner.(driver.Validator).IsValid()
}

// checks are a connection's or a statement's.
type checks struct {
	calls *probedCalls
	kind  string
	inner any
}

func (c checks) CheckNamedValue(v *driver.NamedValue) error {
	c.calls.note(c.kind + ".CheckNamedValue")
	return c.inner.(driver.NamedValueChecker).CheckNamedValue(v)
}
