package drivertest

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// conn is the core of every connection: the three methods all have, and
// unexported ones for what is optional. The types in conn_shapes.go decide
// which of those database/sql gets to see.
type conn struct {
	object

	// Guarded by d.mu.
	running *running
	inTx    bool
}

// Prepare implements driver.Conn.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.prepare("Conn.Prepare", nil, query)
}

func (c *conn) prepare(method string, ctx context.Context, query string) (si driver.Stmt, err error) {
	on := c.named(query)
	err = on.do(method, ctx, "", func(Call) error {
		script, err := parse(query)
		if err != nil {
			return err
		}
		s := &stmt{object: c.child("s", query), script: script}
		s.stmt = &s.object
		s.opened()
		si = c.d.newStmt(s)
		return nil
	})
	return si, err
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	err := c.do("Conn.Close", nil, "", nil)
	if !c.finish() {
		return err // do has reported it
	}
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	for _, name := range c.d.openBelow(c.name + ".") {
		c.d.violate("%s was closed while %s was open", c.name, name)
	}
	return err
}

// Begin implements driver.Conn.
func (c *conn) Begin() (driver.Tx, error) { return c.begin("Conn.Begin", nil, "") }

func (c *conn) beginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	return c.begin("Conn.BeginTx", ctx, fmt.Sprintf("isolation %d, read-only %t", opts.Isolation, opts.ReadOnly))
}

func (c *conn) begin(method string, ctx context.Context, args string) (txi driver.Tx, err error) {
	err = c.do(method, ctx, args, func(Call) error {
		if !c.setTx(true) {
			return ErrTx
		}
		t := &tx{object: c.child("t", "")}
		t.opened()
		txi = t
		return nil
	})
	return txi, err
}

// setTx notes that a transaction begins or ends. It reports false if one is
// open already.
func (c *conn) setTx(open bool) bool {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if open && c.inTx {
		return false
	}
	c.inTx = open
	return true
}

func (c *conn) ping(ctx context.Context) error { return c.do("Conn.Ping", ctx, "", nil) }

// resetSession begins the connection's next use: the last one must have ended
// its transaction.
func (c *conn) resetSession(ctx context.Context) error {
	c.d.mu.Lock()
	if c.inTx {
		c.d.violate("%s Conn.ResetSession came in with a transaction open", c.name)
	}
	c.d.mu.Unlock()
	return c.do("Conn.ResetSession", ctx, "", nil)
}

func (c *conn) isValid() bool { return !c.ask("Conn.IsValid", "") }

func (c *conn) checkNamedValue(nv *driver.NamedValue) error {
	return c.do("Conn.CheckNamedValue", nil, Render(*nv), func(Call) error { return check("conn", nv) })
}

// exec is Exec and ExecContext of the connection.
func (c *conn) exec(method string, ctx context.Context, query, shown string, args []driver.NamedValue) (res driver.Result, err error) {
	on := c.named(query)
	err = on.do(method, ctx, shown, func(k Call) error {
		script, err := parse(query)
		if err == nil && script.skip {
			err = driver.ErrSkip
		}
		if err == nil {
			res, err = script.exec(c.child("x", query), k, args)
		}
		return err
	})
	return res, err
}

// query is Query and QueryContext of the connection.
func (c *conn) query(method string, ctx context.Context, query, shown string, args []driver.NamedValue) (ri driver.Rows, err error) {
	on := c.named(query)
	err = on.do(method, ctx, shown, func(k Call) error {
		script, err := parse(query)
		if err == nil && script.skip {
			err = driver.ErrSkip
		}
		if err == nil {
			ri, err = script.open(&c.object, k, args)
		}
		return err
	})
	return ri, err
}

// named is the connection itself with the text of a query, for the log.
func (c *conn) named(query string) *object {
	return &object{d: c.d, conn: c, number: c.number, name: c.name, query: query}
}
