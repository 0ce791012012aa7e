package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"iter"
	"slices"
)

// A Result is what a statement returned. Rows arrive in batches, of which
// the first comes with the result; fetching what has arrived costs nothing more. One that
// has 256 rows or more keeps its connection busy: an Engine's until the rows are read
// or CloseAsync is called; shorter ones free it by themselves. A Result that is garbage
// collected before that is closed, with a ResourceWarning. All methods are safe
// for concurrent use.
type Result struct {
	config *config
	conn   *Conn    // of a Conn's result: keeps it from being collected
	keys   []string // nil: the statement returns no rows
	done   *outcome // of a statement that was executed

	feed *feed // nil: no rows
}

func queryAsync(ctx context.Context, to Target, query string, args []any) *Future[*Result] {
	p, _, _ := to.target()
	conn, _ := to.(*Conn)
	place := caller(p.config)
	return sendFrom(ctx, to, statement, place, func(ctx context.Context, l *lane) (*Result, error) {
		vs, err := named(args)
		if err != nil {
			return nil, err
		}
		s, cols, err := l.open(ctx, query, vs)
		if err != nil {
			return nil, err
		}
		f := &feed{config: l.home.config, source: s, pool: l.pool, place: place}
		s.spool = f.arrived
		rows, err := s.read(0)
		if err != nil && err != io.EOF {
			return nil, err
		}
		f.rows, f.err = rows, err
		r := &Result{config: l.home.config, conn: conn, keys: cols, feed: f}
		if f.err == nil {
			f.readsOnly = s.plain && l.h.MayAbandon(query)
			if l.pool.grow != nil { // an Engine's lane is the result's until then
				if l.lend(f); l.home.isForced() {
					f.closeAsync()
					return r, nil
				}
			}
			if len(rows) < batchRows && !s.full { // a short result needs no closing, however slow
				f.ahead, f.calls = true, 1
				f.readAhead()
			}
			r.watchLeak()
		} else if len(cols) == 0 {
			r.keys, r.feed = nil, nil
		}
		return r, nil
	})
}

// ReturnsRows reports whether the statement returns rows, be it none this time.
func (r *Result) ReturnsRows() bool { return r.keys != nil }

// Keys returns the names of the columns; nil if the statement returns no rows.
func (r *Result) Keys() []string { return slices.Clone(r.keys) }

// RowCount returns how many rows the statement has changed; -1 if it returns rows, or
// the driver cannot tell.
func (r *Result) RowCount() int64 {
	if r.done == nil || r.done.affectedErr != nil {
		return -1
	}
	return r.done.affected
}

// LastInsertID returns the key that the database gave to the row inserted, as
// sql.Result's LastInsertId does.
func (r *Result) LastInsertID() (int64, error) {
	if r.done == nil {
		return 0, errNoInsert
	}
	return r.done.LastInsertId()
}

// FetchOneAsync returns the next row, or sql.ErrNoRows after the last one.
func (r *Result) FetchOneAsync(ctx context.Context) *Future[Row] {
	return fetch(ctx, r, 1, func(rows []Row, err error) (Row, error) {
		if err == nil && len(rows) == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return Row{}, err
		}
		return rows[0], nil
	})
}

// FetchManyAsync returns the next n rows, fewer at the end, and then none. Await
// returns those that came before an error together with it.
func (r *Result) FetchManyAsync(ctx context.Context, n int) *Future[[]Row] {
	if n <= 0 && r.feed != nil {
		return completed(r.config, []Row(nil), nil)
	}
	return fetch(ctx, r, n, keep)
}

// FetchAllAsync returns the rows that are left, and an error as FetchManyAsync does.
func (r *Result) FetchAllAsync(ctx context.Context) *Future[[]Row] { return fetch(ctx, r, -1, keep) }

// FirstAsync returns the next row and closes the result; sql.ErrNoRows if there is
// none.
func (r *Result) FirstAsync(ctx context.Context) *Future[Row] {
	f := r.FetchOneAsync(ctx)
	r.CloseAsync(background)
	return f
}

// ScalarAsync returns the first column of the next row and closes the result;
// sql.ErrNoRows if there is none.
func (r *Result) ScalarAsync(ctx context.Context) *Future[any] {
	f := fetch(ctx, r, 1, func(rows []Row, err error) (any, error) {
		if err == nil && len(rows) == 0 {
			err = sql.ErrNoRows
		}
		if err != nil {
			return nil, err
		}
		return rows[0].values[0], nil
	})
	r.CloseAsync(background)
	return f
}

// CloseAsync drops the rows that are left and frees the connection for others.
// Fetching fails with ErrClosed from now on. Closing again does nothing.
func (r *Result) CloseAsync(ctx context.Context) *Future[struct{}] {
	if r.feed == nil {
		return completed(r.config, struct{}{}, nil)
	}
	return r.feed.closeAsync()
}

// Rows iterates over the rows that are left; the next batch is read
// meanwhile. Leaving the loop closes the result. An error, also ctx's, comes as
// the last element.
func (r *Result) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		defer r.CloseAsync(background)
		for {
			rows, err := fetch(ctx, r, 0, keep).Await(ctx)
			if err != nil {
				if r.feed != nil && ctx.Err() != nil {
					r.feed.stopAhead()
				}
				yield(Row{}, err)
				return
			}
			if len(rows) == 0 {
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

func keep(rows []Row, err error) ([]Row, error) { return rows, err }

// fetch makes a future of the next rows: n, all for -1, and for 0 what is there or
// else the next batch. as makes of them what the caller wants.
func fetch[T any](ctx context.Context, r *Result, n int, as func([]Row, error) (T, error)) *Future[T] {
	f := r.feed
	if f == nil {
		v, err := as(nil, ErrReturnsNoRows)
		return completed(r.config, v, err)
	}
	f.mu.Lock()
	if f.closing {
		f.mu.Unlock()
		v, err := as(nil, ErrClosed)
		return completed(r.config, v, err)
	}
	if f.pending == 0 && (f.err != nil || n == 0 && len(f.rows) > 0 || n > 0 && len(f.rows) >= n) {
		rows, err := f.take(n)
		more := n == 0 && f.err == nil && !f.ahead
		if more {
			f.ahead = true
			f.calls++
		}
		f.mu.Unlock()
		if more {
			f.readAhead()
		}
		v, err := as(r.wrap(rows), err)
		return completed(r.config, v, err)
	}
	f.pending++
	f.calls++
	f.mu.Unlock()
	o := callOptions{kind: statement, place: caller(r.config)}
	if r.conn != nil {
		o.ended, _ = r.conn.s.enter()
	}
	return feedCall(ctx, f, o, true, func(ctx context.Context, l *lane) (T, error) {
		rows, err := f.fill(ctx, l, n)
		return as(r.wrap(rows), err)
	})
}

func (r *Result) wrap(values [][]driver.Value) []Row {
	rows := make([]Row, len(values))
	for i, v := range values {
		rows[i] = Row{r.keys, v}
	}
	return rows
}
