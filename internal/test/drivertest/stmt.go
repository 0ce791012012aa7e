package drivertest

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// stmt is the core of every prepared statement.
type stmt struct {
	object
	script Script
}

// Close implements driver.Stmt.
func (s *stmt) Close() error {
	err := s.do("Stmt.Close", nil, "", nil)
	s.finish()
	return err
}

// NumInput implements driver.Stmt.
func (s *stmt) NumInput() int {
	if s.ask("Stmt.NumInput", "") || !s.d.features.Has(NumInput) {
		return -1
	}
	return s.script.inputs
}

// Exec implements driver.Stmt.
func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.exec("Stmt.Exec", nil, renderValues(args), named(args))
}

// Query implements driver.Stmt.
func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.query("Stmt.Query", nil, renderValues(args), named(args))
}

func (s *stmt) exec(method string, ctx context.Context, shown string, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.do(method, ctx, shown, func(k Call) (err error) {
		res, err = s.script.exec(s.child("x", s.object.query), k, args)
		return err
	})
	return res, err
}

func (s *stmt) query(method string, ctx context.Context, shown string, args []driver.NamedValue) (ri driver.Rows, err error) {
	err = s.do(method, ctx, shown, func(k Call) (err error) {
		ri, err = s.script.open(&s.object, k, args)
		return err
	})
	return ri, err
}

// The optional interfaces of a statement, as those of a connection.
type (
	stmtExecer  struct{ s *stmt }
	stmtQueryer struct{ s *stmt }
	stmtChecker struct{ s *stmt }
	stmtColumns struct{ s *stmt }
)

func (e stmtExecer) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return e.s.exec("Stmt.ExecContext", ctx, renderNamed(args), args)
}

func (q stmtQueryer) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return q.s.query("Stmt.QueryContext", ctx, renderNamed(args), args)
}

func (c stmtChecker) CheckNamedValue(nv *driver.NamedValue) error {
	return c.s.do("Stmt.CheckNamedValue", nil, Render(*nv), func(Call) error { return check("stmt", nv) })
}

func (c stmtColumns) ColumnConverter(idx int) driver.ValueConverter {
	c.s.ask("Stmt.ColumnConverter", fmt.Sprint(idx))
	return converter{c.s, idx}
}
