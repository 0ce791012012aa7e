package overlay

import (
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// A stream is the rows of StreamAsync on their way to a Result. It does not refer
// to the Result, so an unused Result can be collected. Its err says where it is:
// nil while more rows may come, afterwards what comes after the rows that are
// buffered: io.EOF, ErrClosed, the context's error or the driver's. It is set once.
type stream struct {
	s       *session
	owns    bool // the session is the stream's own and ends with it
	place   site
	plain   bool        // the query only reads: to stop it costs nothing but its rows
	unwatch func() bool // ends the watch over the context

	// The thread's.
	rows   *pinned.Rows
	reader *reader

	mu       sync.Mutex
	buffered [][]value         // guarded by mu: read and not fetched
	size     int64             // guarded by mu: their bytes
	err      error             // guarded by mu
	fetches  []*fetching       // guarded by mu: those that wait for rows, in their order
	armed    bool              // guarded by mu: serve is going to run
	ahead    *core             // guarded by mu: the call that reads ahead; nil: none does
	closing  *Future[struct{}] // guarded by mu: closeAsync's
	cleanup  runtime.Cleanup   // guarded by mu: the Result's, until err or closing is set
	closed   error             // guarded by mu: what closeAsync was given; nil: it was not called
	untold   error             // guarded by mu: what the rows have ended with; nil: their end, or nobody need be told
}

// A fetching is a fetch that waits. It is done on the thread, in its turn, or by
// serve if its rows are there while the thread waits for another row.
type fetching struct {
	n     int
	claim func() bool            // keeps the thread from doing it; nil: only the thread can do it
	give  func([][]value, error) // completes it after claim
	call  *core                  // the fetch
}

const (
	// aheadBytes and aheadRows bound what a stream reads ahead.
	aheadBytes = 1 << 20
	aheadRows  = 256
	// chunkTime is how long rows that somebody waits for may be kept back, so that
	// slow rows arrive when they are there and quick ones many at a time.
	chunkTime = time.Millisecond
	// patience is how long the rest of a query's rows may take to be dropped
	// before the database is asked to stop sending them.
	patience = 10 * time.Millisecond
)

// StreamAsync runs a query whose rows are read as they are fetched, with up to
// 1 MiB of them read ahead. The result has a connection of its own until the rows
// end, it is closed, its loop ends, or ctx does. One that is left open is closed
// when it is garbage collected, with a ResourceWarning.
func (e *Engine) StreamAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	place := caller(e.config)
	q := newRequest(query, args)
	f := new(Future[*Result])
	f.origin, f.place = e.config, place
	opening, cancel := context.WithCancel(reflectguard.MayBlock(ctx))
	making, err := e.making(opening, cancel, place)
	if err != nil {
		cancel()
		f.settle(err)
		return f
	}
	f.cancel = making
	stop := context.AfterFunc(e.ctx, cancel)
	go func() {
		r, err := e.openStream(opening, ctx, place, q)
		stop()
		cancel()
		if err != nil && e.ctx.Err() != nil {
			err = ErrClosed
		}
		f.value = r
		e.made(making)
		f.settle(err)
	}()
	return f
}

// openStream opens a stream on a connection of its own; another one is taken if
// that turns out to be dead.
func (e *Engine) openStream(opening, ctx context.Context, place site, q *request) (*Result, error) {
	for attempt := 1; ; attempt++ {
		s, err := e.openSession(opening, place)
		if err != nil {
			return nil, err
		}
		again := s.lease.reused || attempt <= 2
		r, err := streamOn(opening, ctx, s, true, place, q).Await(background)
		if err == nil {
			return r, nil
		}
		s.closeAsync()
		if err2, ok := err.(*staleError); ok {
			if again {
				continue
			}
			err = err2.error
		}
		return nil, err
	}
}

// staleError is the error of a query that met a dead connection before anything
// was done.
type staleError struct{ error }

func (e *staleError) Unwrap() error { return e.error }

// StreamAsync is Engine.StreamAsync on this connection, which cannot do anything
// else meanwhile on databases that have but one result open at a time.
func (c *Conn) StreamAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	q := newRequest(query, args)
	place := caller(c.s.config)
	if c.closed.Load() {
		return completed[*Result](c.s.config, nil, ErrClosed)
	}
	f := streamOn(ctx, ctx, c.s, false, place, q)
	return f
}

// streamOn opens a stream on a session. opening bounds the opening, ctx the rest.
func streamOn(opening, ctx context.Context, s *session, owns bool, place site, q *request) *Future[*Result] {
	o := q.options(s.config)
	o.place = place
	st := &stream{s: s, owns: owns, place: place, plain: o.kind == read}
	o.undo = func(l *lane) { st.end(l, ErrClosed) }
	if err := s.enter(&o); err != nil {
		return completed[*Result](s.config, nil, err)
	}
	return start(opening, s.queue, o, func(inner context.Context, l *lane) (*Result, error) {
		if !l.pc.Stops() { // the driver watches the context for as long as the rows are open
			inner = ctx
		}
		rows, err := l.query(inner, q)
		if err != nil {
			if owns && isBad(err) {
				err = &staleError{err}
			}
			return nil, err
		}
		st.rows, st.reader = rows, newReader(rows, l.pc.Traits())
		l.streams = append(l.streams, st)
		l.setBusy()
		st.opened()
		// The others are read ahead: the second one may take its time.
		if err := st.read(l, 1); err != nil && err != io.EOF && err != ErrReturnsNoRows {
			return nil, err
		}
		r := &Result{config: s.config, stream: st}
		if len(st.reader.keys) > 0 {
			r.keys = st.reader.keys
		}
		st.watch(ctx)
		r.watchLeak()
		st.after(false)
		return r, nil
	})
}

// watch closes the stream when its context ends.
func (st *stream) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	unwatch := context.AfterFunc(ctx, func() {
		why := ctx.Err()
		if !st.plain { // it is not stopped
			why = pinned.Unknown(why)
		}
		st.closeAsync(why, true)
	})
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil {
		unwatch()
		return
	}
	st.unwatch = unwatch
}

// opened and ended note a stream on its session, for Shutdown to name it.
func (st *stream) opened() {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	if st.s.streams == nil {
		st.s.streams = make(map[*stream]struct{})
	}
	st.s.streams[st] = struct{}{}
}

func (st *stream) ended() {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	delete(st.s.streams, st)
}

// read reads rows on the thread until n are buffered, for -1 all; for 0 it reads
// ahead, and does not keep those waiting whose rows are there. After the last row,
// or an error, the stream has ended; it returns why.
func (st *stream) read(l *lane, n int) error {
	start := time.Now()
	for read := 0; ; read++ {
		st.mu.Lock()
		err, have, size := st.err, len(st.buffered), st.size
		if n == 0 {
			st.hurry()
		}
		st.mu.Unlock()
		switch {
		case err != nil:
			return err
		case n > 0 && have >= n,
			n == 0 && have > 0 && (have >= aheadRows || size >= aheadBytes || (read < 8 || read%8 == 0) && time.Since(start) > chunkTime):
			return nil
		}
		row, bytes, err := st.reader.next()
		if err != nil {
			st.end(l, err)
			continue
		}
		st.mu.Lock()
		st.buffered = append(st.buffered, row)
		st.size += int64(bytes)
		st.mu.Unlock()
	}
}

// end ends the stream on the thread: it closes the rows, and the session if that
// is the stream's own. Ending again does nothing.
func (st *stream) end(l *lane, why error) {
	if i := slices.Index(l.streams, st); i >= 0 {
		l.streams = slices.Delete(l.streams, i, i+1)
	}
	st.ended()
	closing := st.closeRows(l)
	l.setBusy()
	if why != io.EOF && why != ErrClosed { // most drivers return that error again
		closing = nil
	}
	switch {
	case why == io.EOF && closing != nil:
		why = closing
	case why == io.EOF && len(st.reader.keys) == 0:
		why = ErrReturnsNoRows
	}
	if c := l.current.Load(); c != nil {
		if cause := c.stopped(); cause != nil && why != io.EOF && why != ErrClosed {
			why = c.verdict(l, why)
		}
	}
	st.mu.Lock()
	first := st.err == nil
	untold := closing
	if untold == nil && why != io.EOF && why != ErrClosed && why != ErrReturnsNoRows {
		untold = why
	}
	if st.closed != nil { // whatever kept the rows from being read to their end since
		why = st.closed
		if st.plain {
			untold = nil
		}
	}
	if first {
		st.err, st.untold = why, untold
		st.cleanup.Stop()
	}
	unwatch := st.unwatch
	st.mu.Unlock()
	if first && untold != nil && !st.plain && l.tx != nil && len(l.tx.levels) > 0 {
		l.tx.failed = append(l.tx.failed, st)
	}
	if unwatch != nil {
		unwatch()
	}
	if first {
		st.release()
	}
}

// release closes the session of a stream that has ended, if it is the stream's
// own, after the fetches that wait: they may not have reached its queue yet.
func (st *stream) release() {
	st.mu.Lock()
	over := st.owns && st.err != nil && len(st.fetches) == 0
	st.mu.Unlock()
	if over {
		st.s.closeAsync()
	}
}

func (st *stream) closeRows(l *lane) error {
	if st.rows == nil || st.rows.Gone() {
		return nil
	}
	return l.closeRows(st.rows, st.plain)
}

// closeRows closes rows. Where that reads the rest of them, and the query only
// reads, the database is asked to stop after a while.
func (l *lane) closeRows(rows *pinned.Rows, plain bool) error {
	if plain && l.q.config.dialect.oneResult() {
		return rows.CloseSoon(patience)
	}
	return rows.Close()
}

// setBusy has other users of the connection, such as SyncConn's, refused while a
// stream is open, where it can have but one result open.
func (l *lane) setBusy() {
	var why error
	if len(l.streams) > 0 {
		why = l.free()
	}
	l.pc.SetBusy(why, l.closeStreams)
}

// closeStreams ends what is open on a lane.
func (l *lane) closeStreams() {
	for len(l.streams) > 0 {
		l.streams[len(l.streams)-1].end(l, ErrClosed)
	}
}

// closeAsync ends the stream from anywhere. Fetching fails with why from now on.
// The future has the error of closing the rows, if nobody has been told of it.
// Quietly, nobody will look at it.
func (st *stream) closeAsync(why error, quietly bool) *Future[struct{}] {
	st.mu.Lock()
	if st.closing != nil {
		defer st.mu.Unlock()
		return st.closing
	}
	f := &Future[struct{}]{core: core{origin: st.s.config, place: st.place, quiet: quietly}}
	st.closing, st.closed = f, why
	st.cleanup.Stop()
	over, ahead, untold := st.err != nil, st.ahead, st.untold
	st.buffered, st.size = nil, 0
	var fetches []*core
	for _, w := range st.fetches {
		fetches = append(fetches, w.call)
	}
	st.mu.Unlock()
	if over {
		st.mu.Lock()
		st.err = why
		st.mu.Unlock()
		f.settle(untold)
		return f
	}
	o := callOptions{kind: ending, quiet: true, tidy: true, place: st.place, describe: "CloseAsync of a stream"}
	last := start(background, st.s.queue, o, func(_ context.Context, l *lane) (closing error, _ error) {
		st.end(l, ErrClosed)
		st.mu.Lock()
		if l.current.Load().stopped() == nil {
			closing = st.untold
		}
		st.buffered, st.size, st.err = nil, 0, why
		st.mu.Unlock()
		return closing, nil
	})
	if st.plain || why != ErrClosed { // now that closing comes before whatever they let go on
		for _, c := range append(fetches, ahead) {
			if c != nil {
				c.stop(why)
			}
		}
	}
	last.whenDone(func() {
		if st.owns { // closing the stream is over when its connection has gone back
			st.s.closeAsync().whenDone(func() { f.settle(last.value) })
			return
		}
		f.settle(last.value)
	})
	return f
}

// fetchStream is fetch for a stream.
func fetchStream[T any](ctx context.Context, r *Result, n int, last bool, as func([]Row, error) (T, error)) *Future[T] {
	st := r.stream
	if err := ctx.Err(); err != nil {
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
	o := callOptions{kind: read, place: caller(r.config), describe: "fetch of a stream"}
	if !st.plain {
		o.kind = write
	}
	o.ended = func() {
		st.mu.Lock()
		st.fetches = slices.DeleteFunc(st.fetches, func(v *fetching) bool { return v == w })
		st.hurry()
		st.mu.Unlock()
		st.release()
	}
	var taken [][]value    // the thread's
	o.undo = func(*lane) { // nobody has got them
		st.mu.Lock()
		defer st.mu.Unlock()
		if st.closed == nil {
			st.buffered = append(taken, st.buffered...)
		}
	}
	f := start(ctx, st.s.queue, o, func(ctx context.Context, l *lane) (T, error) {
		st.read(l, cmp.Or(n, 1))
		st.mu.Lock()
		rows, err := st.take(n)
		taken = rows
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
	if finish {
		return f
	}
	c := f.cancel.(*call)
	st.mu.Lock()
	defer st.mu.Unlock()
	w.call = &f.core
	w.claim = c.claim
	w.give = func(rows [][]value, err error) {
		f.value, err = as(wrap(r.keys, rows), err)
		c.q.claimed(c)
		c.finish(err)
		st.after(last)
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
	o := callOptions{kind: read, quiet: true, tidy: true, queued: true, place: st.place, describe: "reading a stream ahead"}
	f := start(background, st.s.queue, o, func(_ context.Context, l *lane) (struct{}, error) {
		st.read(l, 0)
		return struct{}{}, nil
	})
	st.mu.Lock()
	st.ahead = &f.core
	closed := st.closed
	st.mu.Unlock()
	if closed != nil && st.plain { // closeAsync did not know the call
		f.stop(closed)
	}
	f.whenDone(func() {
		st.mu.Lock()
		st.ahead = nil
		st.mu.Unlock()
	})
}
