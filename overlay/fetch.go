package overlay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A fetching is a fetch that waits. The thread does it in its turn. If its rows have
// arrived while the thread waits for another row, serve does it.
type fetching struct {
	n     int
	claim func() bool            // keeps the thread from doing it; nil: only the thread can do it
	give  func([][]value, error) // completes it after claim
	call  *core                  // the fetch
}

// fetchStream is fetch for a stream.
func fetchStream[T any](ctx context.Context, r *Result, n int, last bool, as func([]Row, error) (T, error)) *Future[T] {
	st := r.stream
	if err := ctx.Err(); err != nil {
		if !st.plain { // what the stream has begun may be kept
			err = pinned.Unknown(err)
		}
		v, err := as(nil, err)
		return completed(r.config, v, err)
	}
	finish := last && !st.plain // a write is done when its rows have ended: their end is told too
	st.mu.Lock()
	if len(st.fetches) == 0 && st.enough(n) && (!finish || st.err != nil) {
		rows, err := st.take(n)
		if finish && err == nil {
			if err = st.failure(); err != nil {
				rows = nil
			}
		}
		st.mu.Unlock()
		st.after(last)
		v, err := as(wrap(r.keys, rows), err)
		return completed(r.config, v, err)
	}
	w := &fetching{n: n}
	st.fetches = append(st.fetches, w)
	st.mu.Unlock()
	o := callOptions{kind: read, trace: st.trace, abort: st.abort, place: caller(r.config), describe: "fetch of a stream"}
	if !st.plain {
		o.kind, o.part = write, true
	}
	o.ended = func() {
		st.mu.Lock()
		st.fetches = slices.DeleteFunc(st.fetches, func(v *fetching) bool { return v == w })
		st.hurry()
		st.mu.Unlock()
		st.release()
	}
	var took struct { // the thread's: what the fetch has taken from the stream
		rows   [][]value
		size   int64
		untold error
	}
	o.undo = func(*lane) { // nobody has got it
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.closed == nil {
			st.buffered = append(took.rows, st.buffered...)
			st.size += took.size
			st.untold = took.untold
		}
	}
	f := start(ctx, st.s.queue, o, func(ctx context.Context, l *lane) (T, error) {
		st.read(l, cmp.Or(n, 1))
		st.mu.Lock()
		took.untold, took.size = st.untold, st.size
		rows, err := st.take(n)
		took.rows = rows
		took.size -= st.size
		if finish && err == nil {
			if err = st.failure(); err != nil {
				rows = nil
			}
		}
		st.mu.Unlock()
		if finish && err == nil {
			if err = st.closeRows(l); err != nil {
				rows = nil
			}
		}
		st.after(last)
		return as(wrap(r.keys, rows), err)
	})
	f.whenDone(func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		if f.err != nil && errors.Is(f.err, st.untold) { // as all calls on a dead connection say
			st.untold = nil
		}
	})
	st.mu.Lock()
	w.call = &f.core
	st.mu.Unlock()
	st.stopIfClosed(w.call) // closeAsync may not have known it
	if finish {
		return f
	}
	c := f.cancel.(*call)
	st.mu.Lock()
	defer st.mu.Unlock()
	w.claim = c.claim
	w.give = func(rows [][]value, err error) {
		f.value, err = as(wrap(r.keys, rows), err)
		c.q.claimed(c)
		st.after(last) // before callbacks
		c.finish(err)
	}
	st.hurry()
	return f
}

// hurry has the first fetch that waits served soon, if its rows are there. It
// needs mu.
func (st *stream) hurry() {
	if !st.armed && len(st.fetches) > 0 && st.fetches[0].claim != nil && st.enough(st.fetches[0].n) {
		st.armed = true
		time.AfterFunc(chunkTime, st.serve)
	}
}

// serve completes the fetches whose rows are there, while the thread is busy.
func (st *stream) serve() {
	st.mu.Lock()
	st.armed = false
	for len(st.fetches) > 0 {
		w := st.fetches[0]
		if w.claim == nil || !st.enough(w.n) || !w.claim() { // the thread may be doing it
			break
		}
		rows, err := st.take(w.n)
		st.mu.Unlock()
		w.give(rows, err)
		st.mu.Lock()
	}
	st.mu.Unlock()
}

// unseen returns what the rows have ended with if nobody has looked at it.
func (st *stream) unseen() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closing != nil && st.closing.seen.Load() {
		return nil
	}
	return st.untold
}

// failure returns, and so tells, what the rows have ended with if that is not their
// end. It needs mu.
func (st *stream) failure() error {
	if st.err == nil || st.err == io.EOF || st.err == ErrClosed {
		return nil
	}
	st.untold = nil
	return st.err
}

// enough reports whether a fetch of n rows need not wait. It needs mu.
func (st *stream) enough(n int) bool {
	return st.err != nil || st.closed != nil || n == 0 && len(st.buffered) > 0 || n > 0 && len(st.buffered) >= n
}

// take takes up to n rows that are buffered; fewer come with the error that has
// kept the others from coming. It needs mu.
func (st *stream) take(n int) ([][]value, error) {
	if st.closed != nil {
		return nil, st.closed
	}
	short := n < 0 || n > len(st.buffered) || len(st.buffered) == 0
	if n <= 0 || n > len(st.buffered) {
		n = len(st.buffered)
	}
	rows := slices.Clone(st.buffered[:n])
	clear(st.buffered[:n]) // not kept alive by the rest
	if st.buffered = st.buffered[n:]; len(st.buffered) == 0 {
		st.buffered = nil
	}
	st.size = st.size * int64(len(st.buffered)) / int64(max(1, n+len(st.buffered)))
	if short && st.err != io.EOF {
		if st.err != ErrClosed {
			st.untold = nil
		}
		return rows, st.err
	}
	return rows, nil
}

// after reads on while the caller is busy with what it has got, or closes the
// stream after its last fetch.
func (st *stream) after(last bool) {
	if last {
		st.closeAsync(ErrClosed, true)
		return
	}
	st.mu.Lock()
	full := st.err != nil || st.ahead != nil || st.closing != nil || len(st.buffered) >= aheadRows/2 || st.size >= aheadBytes/2
	if !full {
		st.ahead = new(core) // until the call is known
	}
	st.mu.Unlock()
	if !full {
		st.readAhead()
	}
}

func (st *stream) readAhead() {
	o := callOptions{kind: read, trace: st.trace, abort: st.abort, quiet: true, tidy: true, queued: true, place: st.place,
		describe: "reading a stream ahead"}
	f := start(background, st.s.queue, o, func(_ context.Context, l *lane) (struct{}, error) {
		st.read(l, 0)
		return struct{}{}, nil
	})
	st.mu.Lock()
	st.ahead = &f.core
	st.mu.Unlock()
	st.stopIfClosed(&f.core)
	f.whenDone(func() {
		st.mu.Lock()
		st.ahead = nil
		st.mu.Unlock()
	})
}
