package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"slices"

	"github.com/sqlaio/sqlaio/internal/pinned"
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

// QueryAsync runs a query that returns rows, and completes with all of them in
// memory: see Result. StreamAsync is for results that are too large for that.
func (e *Engine) QueryAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return queryAsync(ctx, e, query, args)
}

// QueryAsync is Engine.QueryAsync on this connection.
func (c *Conn) QueryAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	return queryAsync(ctx, c, query, args)
}

// ExecAsync executes a statement that returns no rows. The result's methods cost
// nothing. The arguments are taken at the call: what the caller changes
// afterwards has no effect, save in what a pointer to a struct leads to.
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
	q := newRequest(query, args)
	return send(ctx, to, q.options(configOf(to)), func(ctx context.Context, l *lane) (v T, err error) {
		row, err := l.firstRow(ctx, q)
		if err != nil {
			return v, err
		}
		if len(row.keys) == 0 {
			return v, l.misfit(ErrReturnsNoRows)
		}
		row.keys, row.values = row.keys[:1], row.values[:1]
		err = l.fit(func() error { return row.Scan(&v) })
		return v, err
	})
}

// request is a statement with its arguments as they were at the call.
type request struct {
	pinned.Request
	err error // the arguments cannot be taken
}

func newRequest(query string, args []any) *request {
	q := &request{Request: pinned.Request{Query: query}}
	q.Args, q.err = take(args)
	return q
}

// options are those of a call that queries.
func (q *request) options(c *config) callOptions {
	o := callOptions{kind: write, op: pinned.OpQuery, statement: true, describe: q.Query, request: q}
	if c.readsOnly(q.Query) {
		o.kind = read
	}
	return o
}

// free returns an error while a stream is open on a connection that can have but
// one result open, or one of a write outside of a transaction: SQLite commits as the last
// such statement ends, and so what is written meanwhile.
func (l *lane) free() error {
	if len(l.streams) > 0 && (l.q.config.dialect.oneResult() || !l.pc.InTx() && slices.ContainsFunc(l.streams, (*stream).writes)) {
		return ErrStreamOpen
	}
	if l.q.config.dialect == MySQL && l.pc.Reading() {
		return errRowsOpen
	}
	return nil
}

// query opens rows on the thread.
func (l *lane) query(ctx context.Context, q *request) (*pinned.Rows, error) {
	if q.err != nil {
		return nil, q.err
	}
	if err := l.free(); err != nil {
		return nil, err
	}
	rows := l.spare
	l.spare = nil
	if rows == nil {
		rows = new(pinned.Rows)
	}
	if _, err := l.pc.Query(ctx, l.held(), &q.Request, rows); err != nil {
		return nil, err
	}
	l.answered = true
	return rows, nil
}

// firstRow returns the first row of a query, or sql.ErrNoRows.
func (l *lane) firstRow(ctx context.Context, q *request) (row Row, err error) {
	rows, err := l.query(ctx, q)
	if err != nil {
		return Row{}, err
	}
	defer func() {
		if closing := l.finish(rows, !l.current.Load().mayWrite()); err == nil {
			err = closing
		}
	}()
	r := newReader(rows, l.pc.Traits())
	values, _, err := r.next()
	switch {
	case err == io.EOF && len(r.keys) == 0: // some drivers have only now executed it
		return Row{}, l.misfit(ErrReturnsNoRows)
	case err == io.EOF:
		l.counted(0)
		return Row{}, sql.ErrNoRows
	case err != nil:
		return Row{}, err
	}
	l.counted(1)
	return Row{r.keys, values}, nil
}

func executeAsync(ctx context.Context, to Target, query string, args []any) *Future[*Result] {
	t, _, _ := to.target()
	if sqltext.ReturnsRows(query, t.config.dialect.text()) {
		return queryAsync(ctx, to, query, args)
	}
	q := newRequest(query, args)
	return send(ctx, to, callOptions{kind: write, op: pinned.OpExec, plain: true, statement: true, describe: query, request: q}, func(ctx context.Context, l *lane) (*Result, error) {
		done, err := l.exec(ctx, q)
		if err != nil {
			return nil, err
		}
		return &Result{config: l.q.config, done: done}, nil
	})
}

func execAsync(ctx context.Context, to Target, query string, args []any) *Future[sql.Result] {
	q := newRequest(query, args)
	return send(ctx, to, callOptions{kind: write, op: pinned.OpExec, plain: true, statement: true, describe: query, request: q}, func(ctx context.Context, l *lane) (sql.Result, error) {
		done, err := l.exec(ctx, q)
		if err != nil {
			return nil, err
		}
		return done, nil
	})
}

// exec executes a statement on the thread.
func (l *lane) exec(ctx context.Context, q *request) (*pinned.Result, error) {
	if q.err != nil {
		return nil, q.err
	}
	if err := l.free(); err != nil {
		return nil, err
	}
	r, _, err := l.pc.Exec(ctx, &q.Request)
	l.answered = l.answered || !isBad(err)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &pinned.Result{IDErr: errNoResult, AffectedErr: errNoResult}
	}
	if r.AffectedErr == nil {
		l.counted(r.Affected)
	}
	return r, nil
}

// value is what drivers give.
type value = driver.Value
