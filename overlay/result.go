package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"iter"
	"slices"
	"sync"
)

// A Result is what a statement returned. Rows arrive in batches, of which
// the first comes with the result; fetching what has arrived costs nothing more. One that
// has rows left keeps its connection busy: an Engine's until the rows are read or
// CloseAsync is called. A Result that is garbage collected before that is closed,
// with a ResourceWarning. All methods are safe for concurrent use.
type Result struct {
	config *config
	conn   *Conn    // of a Conn's result: keeps it from being collected
	keys   []string // nil: the statement returns no rows
	done   *outcome // of a statement that was executed

	feed *feed // nil: no rows
}

// feed is the rows of a result on their way to it. It does not know the Result,
// so that one that nobody uses any more is found.
type feed struct {
	config *config
	source *source // the thread's
	pool   *pool   // where fetching is done
	place  site
	// readsOnly: the query may be interrupted when its rows are not wanted any more.
	// The interrupt of a write could cost the whole transaction.
	readsOnly bool

	mu      sync.Mutex
	rows    [][]driver.Value // guarded by mu: arrived and not taken
	err     error            // guarded by mu: what came after them; nil: more may come
	pending int              // guarded by mu: fetches under way, which come first
	calls   int              // guarded by mu: all calls under way
	ahead   bool             // guarded by mu: the next batch is being read
	reading *core            // guarded by mu: the call that does it
	closing bool             // guarded by mu: CloseAsync was called
	lent    bool             // guarded by mu: pool is the lane's until the rows have ended
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
			if l.pool.grow != nil { // an Engine's lane is the result's until then
				if l.lend(f); l.home.isForced() {
					f.closeAsync()
				}
			}
			f.readsOnly = l.h.MayAbandon(query)
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

// lend takes the lane out of its pool's turn and gives it one of its own.
func (l *lane) lend(f *feed) {
	l.pool = &pool{config: l.home.config, most: 1, lanes: []*lane{l}}
	l.pool.hot.Store(l.w)
	f.pool, f.lent = l.pool, true
	l.home.mu.Lock()
	defer l.home.mu.Unlock()
	if l.home.lent == nil {
		l.home.lent = make(map[*feed]struct{})
	}
	l.home.lent[f] = struct{}{}
}

// giveBack returns a lane that was lent.
func (l *lane) giveBack(f *feed) {
	l.pool = l.home
	l.home.mu.Lock()
	defer l.home.mu.Unlock()
	delete(l.home.lent, f)
}

// feedCall makes a call for the feed, which has counted it, on its thread.
func feedCall[T any](ctx context.Context, f *feed, o callOptions, fetch bool, fn func(context.Context, *lane) (T, error)) *Future[T] {
	leave := o.ended
	o.ended = func() {
		if leave != nil {
			leave()
		}
		f.left(fetch)
	}
	return start(ctx, f.pool, o, fn)
}

// left is told of the end of a call. After the last one of a feed that has come to
// its end the lane goes back.
func (f *feed) left(fetch bool) {
	f.mu.Lock()
	f.calls--
	if fetch {
		f.pending--
	}
	back := f.lent && f.calls == 0 && f.err != nil
	f.lent = f.lent && !back
	f.mu.Unlock()
	if back {
		start(background, f.pool, callOptions{kind: firm, quiet: true, tidy: true}, func(_ context.Context, l *lane) (struct{}, error) {
			l.giveBack(f)
			return struct{}{}, nil
		})
	}
}

// arrived takes rows, and what came after them.
func (f *feed) arrived(rows [][]driver.Value, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows = append(f.rows, rows...)
	if f.err == nil {
		f.err = err
	}
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

// take returns what has arrived of n rows. Fewer than were asked for come with
// the error that has kept the others from coming. It needs mu.
func (f *feed) take(n int) ([][]driver.Value, error) {
	if f.err != nil && f.err != io.EOF && (len(f.rows) == 0 || n < 0 || n > len(f.rows) || f.err == ErrClosed) {
		rows := f.rows
		f.rows = nil
		return rows, f.err
	}
	if n <= 0 {
		n = len(f.rows)
	}
	n = min(n, len(f.rows))
	rows := f.rows[:n:n]
	f.rows = f.rows[n:]
	return rows, nil
}

// fill reads on the thread until there are n rows, and takes them.
func (f *feed) fill(ctx context.Context, l *lane, n int) ([][]driver.Value, error) {
	if f.source.abort != nil { // the driver watches the query's context, not this one
		defer context.AfterFunc(ctx, f.source.abort)()
	}
	for {
		f.mu.Lock()
		have := len(f.rows)
		if f.err != nil || n == 0 && have > 0 || n > 0 && have >= n {
			defer f.mu.Unlock()
			return f.take(n)
		}
		f.mu.Unlock()
		want := n - have
		if n <= 0 {
			want = n
		} else if n == 1 {
			want = 0 // the next ones will be wanted too
		}
		rows, err := f.source.read(want)
		if cause := l.current.Load().stopped(); cause != nil && l.h.Interrupted(err) {
			err = cause
		}
		f.arrived(rows, err)
	}
}

// readAhead reads on while the caller is busy with what has arrived, until a batch is
// waiting. The caller of readAhead has counted the call.
func (f *feed) readAhead() {
	o := callOptions{kind: statement, quiet: true, queue: true}
	fut := feedCall(background, f, o, false, func(ctx context.Context, _ *lane) (struct{}, error) {
		if f.source.abort != nil { // the driver watches the query's context, not this one
			defer context.AfterFunc(ctx, f.source.abort)()
		}
		rows, err := f.source.read(0)
		f.arrived(rows, err)
		f.mu.Lock()
		f.ahead = f.err == nil && len(f.rows) < batchRows && !f.source.full
		f.reading = nil
		more := f.ahead
		if more {
			f.calls++
		}
		f.mu.Unlock()
		if more {
			f.readAhead()
		}
		return struct{}{}, nil
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ahead && f.reading == nil && !fut.settled.Load() {
		f.reading = &fut.core
	}
}

// stopAhead stops reading ahead: the fetch that it was for is not wanted any more.
func (f *feed) stopAhead() {
	f.mu.Lock()
	reading := f.reading
	f.mu.Unlock()
	if reading != nil {
		reading.stop(context.Canceled)
	}
}

func (f *feed) closeAsync() *Future[struct{}] {
	f.mu.Lock()
	f.closing = true
	if f.err != nil && f.calls == 0 {
		f.rows, f.err = nil, ErrClosed
		f.mu.Unlock()
		return completed(f.config, struct{}{}, nil)
	}
	f.calls++
	lent, reading := f.lent, f.reading
	f.mu.Unlock()
	if reading != nil && lent && f.readsOnly { // nobody else's rows are hit
		reading.stop(ErrClosed)
	}
	return feedCall(background, f, callOptions{kind: firm, quiet: true, tidy: true}, false, func(context.Context, *lane) (struct{}, error) {
		err := f.source.close(ErrClosed)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.rows, f.err = nil, ErrClosed
		return struct{}{}, err
	})
}
