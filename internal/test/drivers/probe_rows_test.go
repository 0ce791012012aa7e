package drivers

import (
	"context"
	"database/sql/driver"
	"reflect"
)

var stmtInterfaces = []reflect.Type{
	reflect.TypeFor[driver.StmtExecContext](), reflect.TypeFor[driver.StmtQueryContext](),
	reflect.TypeFor[driver.NamedValueChecker](), reflect.TypeFor[driver.ColumnConverter](), // none has the last one
}

func newProbedStmt(inner driver.Stmt, calls *probedCalls) driver.Stmt {
	calls.offer("Stmt", inner, stmtInterfaces, "Close", "NumInput")
	s := &probedStmt{inner, calls}
	return exactly[driver.Stmt](inner, stmtInterfaces, s, struct {
		*probedStmt
		checks
	}{s, checks{calls, "Stmt", inner}})
}

type probedStmt struct {
	inner driver.Stmt
	*probedCalls
}

func (s *probedStmt) NumInput() int {
	s.note("Stmt.NumInput")
	return s.inner.NumInput()
}

func (s *probedStmt) Exec(args []driver.Value) (driver.Result, error) {
	s.note("Stmt.Exec")
	return s.result(s.inner.Exec(args))
}

func (s *probedStmt) Query(args []driver.Value) (driver.Rows, error) {
	s.note("Stmt.Query")
	return s.rows(s.inner.Query(args))
}

func (s *probedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.note("Stmt.ExecContext")
	return s.result(s.inner.(driver.StmtExecContext).ExecContext(ctx, args))
}

func (s *probedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.note("Stmt.QueryContext")
	return s.rows(s.inner.(driver.StmtQueryContext).QueryContext(ctx, args))
}

func (s *probedStmt) Close() error {
	s.note("Stmt.Close")
	return s.inner.Close()
}

type probedTx struct {
	inner driver.Tx
	*probedCalls
}

func (t *probedTx) Commit() error {
	t.note("Tx.Commit")
	return t.inner.Commit()
}

func (t *probedTx) Rollback() error {
	t.note("Tx.Rollback")
	return t.inner.Rollback()
}

type probedResult struct {
	inner driver.Result
	*probedCalls
}

func (c *probedCalls) result(inner driver.Result, err error) (driver.Result, error) {
	if err != nil || inner == nil {
		return inner, err
	}
	c.offer("Result", inner, nil, "LastInsertId", "RowsAffected")
	return &probedResult{inner, c}, nil
}

func (r *probedResult) LastInsertId() (int64, error) {
	r.note("Result.LastInsertId")
	return r.inner.LastInsertId()
}

func (r *probedResult) RowsAffected() (int64, error) {
	r.note("Result.RowsAffected")
	return r.inner.RowsAffected()
}

var rowsInterfaces = []reflect.Type{
	reflect.TypeFor[driver.RowsNextResultSet](), reflect.TypeFor[driver.RowsColumnTypeScanType](),
	reflect.TypeFor[driver.RowsColumnTypeDatabaseTypeName](), reflect.TypeFor[driver.RowsColumnTypeLength](),
	reflect.TypeFor[driver.RowsColumnTypeNullable](), reflect.TypeFor[driver.RowsColumnTypePrecisionScale](),
}

func (c *probedCalls) rows(inner driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		return nil, err
	}
	c.offer("Rows", inner, rowsInterfaces, "Columns", "Next", "Close")
	r := &probedRows{inner, c}
	s, l, n, p := nextSets{r}, lengths{r}, nullables{r}, precisions{r}
	return exactly[driver.Rows](inner, rowsInterfaces,
		struct { // ncruces
			*probedRows
			nullables
		}{r, n},
		struct { // pgx
			*probedRows
			lengths
			precisions
		}{r, l, p},
		struct { // modernc
			*probedRows
			lengths
			nullables
			precisions
		}{r, l, n, p},
		struct { // pq
			*probedRows
			nextSets
			lengths
			precisions
		}{r, s, l, p}), nil
}

// probedRows has what the rows of all four drivers have.
type probedRows struct {
	inner driver.Rows
	*probedCalls
}

func (r *probedRows) Columns() []string {
	r.note("Rows.Columns")
	return r.inner.Columns()
}

func (r *probedRows) Next(dest []driver.Value) error {
	r.note("Rows.Next")
	return r.inner.Next(dest)
}

func (r *probedRows) Close() error {
	r.note("Rows.Close")
	return r.inner.Close()
}

func (r *probedRows) ColumnTypeScanType(i int) reflect.Type {
	r.note("Rows.ColumnTypeScanType")
	return r.inner.(driver.RowsColumnTypeScanType).ColumnTypeScanType(i)
}

func (r *probedRows) ColumnTypeDatabaseTypeName(i int) string {
	r.note("Rows.ColumnTypeDatabaseTypeName")
	return r.inner.(driver.RowsColumnTypeDatabaseTypeName).ColumnTypeDatabaseTypeName(i)
}

type nextSets struct{ r *probedRows }

func (s nextSets) HasNextResultSet() bool {
	s.r.note("Rows.HasNextResultSet")
	return s.r.inner.(driver.RowsNextResultSet).HasNextResultSet()
}

func (s nextSets) NextResultSet() error {
	s.r.note("Rows.NextResultSet")
	return s.r.inner.(driver.RowsNextResultSet).NextResultSet()
}

type lengths struct{ r *probedRows }

func (l lengths) ColumnTypeLength(i int) (int64, bool) {
	l.r.note("Rows.ColumnTypeLength")
	return l.r.inner.(driver.RowsColumnTypeLength).ColumnTypeLength(i)
}

type nullables struct{ r *probedRows }

func (n nullables) ColumnTypeNullable(i int) (nullable, ok bool) {
	n.r.note("Rows.ColumnTypeNullable")
	return n.r.inner.(driver.RowsColumnTypeNullable).ColumnTypeNullable(i)
}

type precisions struct{ r *probedRows }

func (p precisions) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	p.r.note("Rows.ColumnTypePrecisionScale")
	return p.r.inner.(driver.RowsColumnTypePrecisionScale).ColumnTypePrecisionScale(i)
}
