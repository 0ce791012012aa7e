package sqlmock_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// spy stands between a mock and whoever calls it, and writes down what is
// called, in which order and by which goroutine.
type spy struct {
	driver driver.Driver
	dsn    string

	mu    sync.Mutex
	calls []string  // guarded by mu
	conns []*target // guarded by mu
}

// target is one connection that a spy watches.
type target struct {
	*spy
	by []string // guarded by mu: the goroutines that have called, each once
}

var _ driver.Connector = (*spy)(nil)

func (s *spy) Driver() driver.Driver { return s.driver }

func (s *spy) Connect(context.Context) (driver.Conn, error) {
	to := &target{spy: s}
	s.mu.Lock()
	s.conns = append(s.conns, to)
	s.mu.Unlock()
	to.called("")
	c, err := s.driver.Open(s.dsn)
	if err != nil {
		return nil, err
	}
	return &spyConn{c.(mockConn), to}, nil
}

// called notes a call. One without a name may come earlier or more often
// through the shim, which asks ahead: only the goroutine matters.
func (to *target) called(format string, args ...any) {
	to.mu.Lock()
	defer to.mu.Unlock()
	if g := goroutine(); !slices.Contains(to.by, g) {
		to.by = append(to.by, g)
	}
	if format != "" {
		to.calls = append(to.calls, fmt.Sprintf(format, args...))
	}
}

func (s *spy) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, "\n")
}

// strayed returns the connections that were not called by one goroutine of
// their own alone.
func (s *spy) strayed() (found []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := []string{goroutine()}
	for i, to := range s.conns {
		if len(to.by) != 1 || slices.Contains(taken, to.by[0]) {
			found = append(found, fmt.Sprintf("connection %d: goroutines %v, taken are %v", i+1, to.by, taken))
		}
		taken = append(taken, to.by...)
	}
	return found
}

// goroutine returns the number of the calling goroutine. That of a worker is
// locked to its thread.
func goroutine() string {
	var b [64]byte
	return string(bytes.Fields(b[:runtime.Stack(b[:], false)])[1])
}

// mockConn is what a connection of a mock has.
type mockConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.NamedValueChecker
}

type spyConn struct {
	mockConn
	*target
}

func (c *spyConn) Close() error {
	c.called("Conn.Close")
	return c.mockConn.Close()
}

func (c *spyConn) Ping(ctx context.Context) error {
	c.called("Ping")
	return c.mockConn.Ping(ctx)
}

func (c *spyConn) CheckNamedValue(v *driver.NamedValue) error {
	c.called("CheckNamedValue %v", *v)
	return c.mockConn.CheckNamedValue(v)
}

func (c *spyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.called("Exec %q %v", query, args)
	r, err := c.mockConn.ExecContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return &spyResult{r, c.target}, nil
}

func (c *spyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.called("Query %q %v", query, args)
	rs, err := c.mockConn.QueryContext(ctx, query, args)
	return c.rows(rs, err)
}

func (c *spyConn) rows(rs driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	r := &spyRows{rs.(mockRows), c.target}
	if typed, ok := rs.(columnTypes); ok {
		return &spyTypedRows{r, typed}, nil
	}
	return r, nil
}

func (c *spyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	c.called("Begin %v", opts)
	tx, err := c.mockConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &spyTx{tx, c.target}, nil
}

func (c *spyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.called("Prepare %q", query)
	s, err := c.mockConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &spyStmt{s.(mockStmt), c}, nil
}

type mockStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type spyStmt struct {
	mockStmt
	c *spyConn
}

func (s *spyStmt) NumInput() int {
	s.c.called("")
	return s.mockStmt.NumInput()
}

func (s *spyStmt) Close() error {
	s.c.called("Stmt.Close")
	return s.mockStmt.Close()
}

func (s *spyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.c.called("Stmt.Exec %v", args)
	r, err := s.mockStmt.ExecContext(ctx, args)
	if err != nil {
		return nil, err
	}
	return &spyResult{r, s.c.target}, nil
}

func (s *spyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.c.called("Stmt.Query %v", args)
	rs, err := s.mockStmt.QueryContext(ctx, args)
	return s.c.rows(rs, err)
}

type spyTx struct {
	driver.Tx
	*target
}

func (t *spyTx) Commit() error {
	t.called("Commit")
	return t.Tx.Commit()
}

func (t *spyTx) Rollback() error {
	t.called("Rollback")
	return t.Tx.Rollback()
}

type spyResult struct {
	driver.Result
	*target
}

func (r *spyResult) LastInsertId() (int64, error) {
	r.called("")
	return r.Result.LastInsertId()
}

func (r *spyResult) RowsAffected() (int64, error) {
	r.called("")
	return r.Result.RowsAffected()
}

type mockRows interface {
	driver.Rows
	driver.RowsNextResultSet
}

type spyRows struct {
	mockRows
	*target
}

func (r *spyRows) Columns() []string {
	r.called("")
	return r.mockRows.Columns()
}

func (r *spyRows) Next(dest []driver.Value) error {
	r.called("")
	return r.mockRows.Next(dest)
}

func (r *spyRows) HasNextResultSet() bool {
	r.called("")
	return r.mockRows.HasNextResultSet()
}

func (r *spyRows) NextResultSet() error {
	r.called("NextResultSet")
	return r.mockRows.NextResultSet()
}

func (r *spyRows) Close() error {
	r.called("Rows.Close")
	return r.mockRows.Close()
}

type columnTypes interface {
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// spyTypedRows are those that know the types of their columns.
type spyTypedRows struct {
	*spyRows
	types columnTypes
}

func (r *spyTypedRows) ColumnTypeScanType(i int) reflect.Type {
	r.called("")
	return r.types.ColumnTypeScanType(i)
}

func (r *spyTypedRows) ColumnTypeDatabaseTypeName(i int) string {
	r.called("")
	return r.types.ColumnTypeDatabaseTypeName(i)
}

func (r *spyTypedRows) ColumnTypeLength(i int) (int64, bool) {
	r.called("")
	return r.types.ColumnTypeLength(i)
}

func (r *spyTypedRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	r.called("")
	return r.types.ColumnTypeNullable(i)
}

func (r *spyTypedRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	r.called("")
	return r.types.ColumnTypePrecisionScale(i)
}
