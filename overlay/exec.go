package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// ExecuteAsync runs any statement. Whether it is queried or executed, which is
// not the same to a driver, is decided by its text: SELECT, VALUES, WITH … SELECT,
// PRAGMA, SHOW, CALL and whatever has RETURNING return rows; comments do not
// matter. QueryAsync and ExecAsync leave no doubt.
func (e *Engine) ExecuteAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return executeAsync(ctx, e, query, args)
}

// ExecuteAsync is Engine.ExecuteAsync on this connection.
func (c *Conn) ExecuteAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return executeAsync(ctx, c, query, args)
}

// QueryAsync runs a query that returns rows.
func (e *Engine) QueryAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return queryAsync(ctx, e, query, args)
}

// QueryAsync is Engine.QueryAsync on this connection.
func (c *Conn) QueryAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return queryAsync(ctx, c, query, args)
}

// ExecAsync executes a statement that returns no rows. The result's methods cost
// nothing any more.
func (e *Engine) ExecAsync(ctx context.Context, query string, args ...any) *Future[sql.Result] {
	return execAsync(ctx, e, query, args)
}

// ExecAsync is Engine.ExecAsync on this connection.
func (c *Conn) ExecAsync(ctx context.Context, query string, args ...any) *Future[sql.Result] {
	return execAsync(ctx, c, query, args)
}

// ScalarAsync returns the first column of the first row as the driver gives it, or
// sql.ErrNoRows. The function Scalar converts it.
func (e *Engine) ScalarAsync(ctx context.Context, query string, args ...any) *Future[any] {
	return Scalar[any](ctx, e, query, args...)
}

// ScalarAsync is Engine.ScalarAsync on this connection.
func (c *Conn) ScalarAsync(ctx context.Context, query string, args ...any) *Future[any] {
	return Scalar[any](ctx, c, query, args...)
}

// Scalar returns the first column of the first row, converted to T as sql.Rows.Scan
// does it, or sql.ErrNoRows.
func Scalar[T any](ctx context.Context, to Target, query string, args ...any) *Future[T] {
	return send(ctx, to, statement, func(ctx context.Context, l *lane) (v T, err error) {
		row, err := l.firstRow(ctx, query, args)
		if err != nil {
			return v, err
		}
		row.keys, row.values = row.keys[:1], row.values[:1]
		err = row.Scan(&v)
		return v, err
	})
}

// firstRow returns the first row of a query, or sql.ErrNoRows.
func (l *lane) firstRow(ctx context.Context, query string, args []any) (row Row, err error) {
	vs, err := named(args)
	if err != nil {
		return Row{}, err
	}
	s, cols, err := l.open(ctx, query, vs)
	if err != nil {
		return Row{}, err
	}
	defer func() {
		if closing := s.close(ErrClosed); err == nil {
			err = closing
		}
	}()
	if len(cols) == 0 {
		return Row{}, ErrReturnsNoRows
	}
	rows, err := s.read(1)
	switch {
	case len(rows) > 0:
		return Row{cols, rows[0]}, nil
	case err == io.EOF:
		return Row{}, sql.ErrNoRows
	}
	return Row{}, err
}

func executeAsync(ctx context.Context, to Target, query string, args []any) *Future[*Result] {
	p, _, _ := to.target()
	if sqltext.ReturnsRows(query, p.config.dialect.text()) {
		return queryAsync(ctx, to, query, args)
	}
	return send(ctx, to, statement, func(ctx context.Context, l *lane) (*Result, error) {
		done, err := l.exec(ctx, query, args)
		if err != nil {
			return nil, err
		}
		return &Result{config: l.home.config, done: done}, nil
	})
}

func execAsync(ctx context.Context, to Target, query string, args []any) *Future[sql.Result] {
	return send(ctx, to, statement, func(ctx context.Context, l *lane) (sql.Result, error) {
		done, err := l.exec(ctx, query, args)
		if err != nil {
			return nil, err
		}
		return done, nil
	})
}

// outcome is a sql.Result that has been asked on the thread.
type outcome struct {
	id, affected       int64
	idErr, affectedErr error
}

func (o *outcome) LastInsertId() (int64, error) { return o.id, o.idErr }
func (o *outcome) RowsAffected() (int64, error) { return o.affected, o.affectedErr }

func outcomeOf(r driver.Result) *outcome {
	o := new(outcome)
	o.id, o.idErr = r.LastInsertId()
	o.affected, o.affectedErr = r.RowsAffected()
	return o
}

func (l *lane) exec(ctx context.Context, query string, args []any) (*outcome, error) {
	vs, err := named(args)
	if err != nil {
		return nil, err
	}
	if err := l.usable(); err != nil {
		return nil, err
	}
	r, err := l.h.Exec(ctx, query, vs)
	if err != nil {
		return nil, err
	}
	return outcomeOf(r), nil
}
