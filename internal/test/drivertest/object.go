package drivertest

import (
	"context"
	"fmt"
)

// An object is the part that connections, statements, transactions, rows and
// results have in common: a name in the log and whether it is still open.
type object struct {
	d      *Driver
	conn   *conn  // nil: the driver or a connector
	number int    // of the connection
	name   string // as in Call.Object
	query  string
	stmt   *object // the statement that o came from, if any

	// Guarded by d.mu.
	children map[string]int // how many objects of a kind were made from this one
	closed   bool
}

// child makes an object that belongs to o, named after its kind and number.
func (o *object) child(kind, query string) object {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	if o.children == nil {
		o.children = map[string]int{}
	}
	o.children[kind]++
	name := fmt.Sprintf("%s.%s%d", o.name, kind, o.children[kind])
	return object{d: o.d, conn: o.conn, number: o.number, name: name, query: query, stmt: o.stmt}
}

// do is every method call: it records it, runs the hooks, refuses an ended
// context as drivers should, and then runs fn. A panic passes through.
func (o *object) do(method string, ctx context.Context, args string, fn func(Call) error) (err error) {
	k := Call{Conn: o.number, Object: o.name, Method: method, Query: o.query, Args: args, Ctx: ctx}
	r := o.enter(&k)
	panicked := true
	defer func() { o.leave(r, err, panicked) }()

	err = o.d.runHooks(k)
	if err == nil && ctx != nil {
		err = ctx.Err()
	}
	if err == nil && fn != nil {
		err = fn(k)
	}
	panicked = false
	return err
}

// ask is do for methods that return no error: it reports whether a hook failed.
func (o *object) ask(method, args string) (failed bool) {
	return o.do(method, nil, args, nil) != nil
}

// opened marks o as something its owner must close.
func (o *object) opened() {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	o.d.open[o.name] = true
}

// finish marks o as closed. It reports false if it was already.
func (o *object) finish() bool {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	delete(o.d.open, o.name)
	first := !o.closed
	o.closed = true
	return first
}
