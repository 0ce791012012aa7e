package overlay

import (
	"context"
	"database/sql/driver"
	"io"
	"sync"
)

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
	if l.home.wantsMore() { // the lane that was to come for calls that wait may have failed to
		l.home.grow()
	}
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
