package overlay

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A Result is what a statement returned. That of QueryAsync and ExecuteAsync has
// all its rows in memory: its connection is free, fetching costs nothing, and it
// need not be closed. That of StreamAsync reads them as they are asked for, and
// keeps its connection until the rows end, the result is closed or its context
// ends, whichever is first. All methods are safe for concurrent use.
type Result struct {
	config *config
	keys   []string       // nil: the statement returns no rows
	done   *pinned.Result // of a statement that was executed
	stream *stream        // nil: rows are in memory

	mu     sync.Mutex
	rows   [][]value // guarded by mu: those that were not fetched
	closed bool      // guarded by mu
}

func queryAsync(ctx context.Context, to Target, query string, args []any) *Future[*Result] {
	q := newRequest(query, args)
	o := q.options(configOf(to))
	return send(ctx, to, o, func(ctx context.Context, l *lane) (*Result, error) {
		keys, rows, err := l.all(ctx, q)
		if err != nil {
			return nil, err
		}
		return &Result{config: l.q.config, keys: keys, rows: rows}, nil
	})
}

// all runs a query on the thread and reads all its rows. What a write returns is
// not bounded: it is done already, and an error would be wrong.
func (l *lane) all(ctx context.Context, q *request) (keys []string, all [][]value, err error) {
	rows, err := l.query(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	limit := l.q.config.resultLimit
	writes := l.current.Load().mayWrite()
	if writes {
		limit = 0
	}
	if keys, all, err = readAll(rows, l.pc.Traits(), limit); err == nil {
		l.counted(int64(len(all)))
	}
	if closing := l.finish(rows, !writes); err == nil {
		err = closing
	}
	if err != nil && writes && isBad(err) {
		err = pinned.Unknown(err)
	}
	return keys, all, err
}

// ReturnsRows reports whether the statement returns rows, perhaps none this time.
func (r *Result) ReturnsRows() bool { return r.keys != nil }

// Keys returns the names of the columns; nil if the statement returns no rows.
func (r *Result) Keys() []string { return slices.Clone(r.keys) }

// RowCount returns how many rows the statement has changed; -1 if it returns rows, or
// the driver cannot tell.
func (r *Result) RowCount() int64 {
	if r.done == nil || r.done.AffectedErr != nil {
		return -1
	}
	return r.done.Affected
}

// LastInsertID returns the key that the database gave to the row inserted, as
// sql.Result's LastInsertId does.
func (r *Result) LastInsertID() (int64, error) {
	if r.done == nil {
		return 0, errNoInsert
	}
	return r.done.LastInsertId()
}

// String describes the result in one line.
func (r *Result) String() string {
	switch n := r.RowCount(); {
	case r.keys == nil && n < 0:
		return "overlay.Result(no rows)"
	case r.keys == nil:
		return fmt.Sprintf("overlay.Result(%d rows affected)", n)
	case r.stream != nil:
		return fmt.Sprintf("overlay.Result(stream of %d columns)", len(r.keys))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("overlay.Result(%d columns, %d rows left)", len(r.keys), len(r.rows))
}

// FetchOneAsync returns the next row, or sql.ErrNoRows after the last one.
func (r *Result) FetchOneAsync(ctx context.Context) *Future[Row] {
	return fetch(ctx, r, 1, false, one)
}

// FetchManyAsync returns the next n rows, fewer at the end, and then none. Await
// returns those that came before an error together with it.
func (r *Result) FetchManyAsync(ctx context.Context, n int) *Future[[]Row] {
	if n <= 0 && r.keys != nil {
		return completed(r.config, []Row(nil), nil)
	}
	return fetch(ctx, r, n, false, keep)
}

// FetchAllAsync returns the rows that are left, and an error as FetchManyAsync does.
func (r *Result) FetchAllAsync(ctx context.Context) *Future[[]Row] {
	return fetch(ctx, r, -1, false, keep)
}

// FirstAsync returns the next row and closes the result; sql.ErrNoRows if there is
// none.
func (r *Result) FirstAsync(ctx context.Context) *Future[Row] {
	return fetch(ctx, r, 1, true, one)
}

// ScalarAsync returns the first column of the next row and closes the result;
// sql.ErrNoRows if there is none.
func (r *Result) ScalarAsync(ctx context.Context) *Future[any] {
	return fetch(ctx, r, 1, true, func(rows []Row, err error) (any, error) {
		row, err := one(rows, err)
		if err != nil {
			return nil, err
		}
		return row.values[0], nil
	})
}

// CloseAsync drops the rows that are left, and frees the connection of a stream.
// Fetching fails with ErrClosed from now on. Closing again does nothing. The error
// is that of closing a stream's rows, unless a fetch has returned it.
func (r *Result) CloseAsync(ctx context.Context) *Future[struct{}] {
	if r.stream != nil {
		return r.stream.closeAsync(ErrClosed, false)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows, r.closed = nil, true
	return completed(r.config, struct{}{}, nil)
}

// Rows iterates over the rows that are left; a stream reads ahead meanwhile.
// Leaving the loop closes the result. An error, also ctx's, comes as the last
// element.
func (r *Result) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		defer r.CloseAsync(background)
		for {
			rows, err := fetch(ctx, r, 0, false, keep).Await(ctx)
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
		}
	}
}

func keep(rows []Row, err error) ([]Row, error) { return rows, err }

func one(rows []Row, err error) (Row, error) {
	switch {
	case len(rows) > 0:
		return rows[0], nil
	case err == nil:
		err = sql.ErrNoRows
	}
	return Row{}, err
}

// fetch makes a future of the next rows: n, all for -1, and for 0 those that are
// there or else the next ones. as makes of them what the caller wants.
func fetch[T any](ctx context.Context, r *Result, n int, last bool, as func([]Row, error) (T, error)) *Future[T] {
	if r.stream != nil {
		return fetchStream(ctx, r, n, last, as)
	}
	var rows []Row
	err := ctx.Err()
	if err == nil {
		rows, err = r.take(n, last)
	}
	v, err := as(rows, err)
	return completed(r.config, v, err)
}

// take takes rows that are in memory.
func (r *Result) take(n int, last bool) ([]Row, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.keys == nil:
		return nil, ErrReturnsNoRows
	case r.closed:
		return nil, ErrClosed
	}
	if n <= 0 || n > len(r.rows) {
		n = len(r.rows)
	}
	rows := wrap(r.keys, r.rows[:n])
	r.rows = r.rows[n:]
	if last {
		r.rows, r.closed = nil, true
	}
	return rows, nil
}

func wrap(keys []string, values [][]value) []Row {
	rows := make([]Row, len(values))
	for i, v := range values {
		rows[i] = Row{keys, v}
	}
	return rows
}
