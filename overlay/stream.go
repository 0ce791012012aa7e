package overlay

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// A stream is the rows of StreamAsync on their way to a Result. It does not refer
// to the Result, so an unused Result can be collected. While more rows may come its
// err is nil. Then err is what comes after the buffered rows: io.EOF, ErrClosed, the
// context's error or the driver's. CloseAsync after that replaces it.
type stream struct {
	s       *session
	owns    bool // the session is the stream's own and ends with it
	place   site
	since   time.Time
	query   string
	plain   bool        // the query only reads: stopping it costs only its rows
	unwatch func() bool // ends the watch over the context
	abort   func()      // ends the context of the rows; nil: the driver has an adapter
	trace   *pinned.Trace

	// The thread's.
	rows   *pinned.Rows
	reader *reader
	got    int64 // rows read

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
	untold   error             // guarded by mu: the error that ended the rows, until somebody is told; nil: none
}

const (
	// aheadBytes and aheadRows bound what a stream reads ahead.
	aheadBytes = 1 << 20
	aheadRows  = 256
	// chunkTime is how long rows that somebody waits for may be kept back. So slow
	// rows arrive one by one, and quick ones many at a time.
	chunkTime = time.Millisecond
	// patience is how long the rest of a query's rows may take to be dropped
	// before the database is asked to stop sending them.
	patience = 10 * time.Millisecond
)

// StreamAsync runs a query whose rows are read as they are fetched. Up to 256 rows
// or 1 MiB are read ahead. The future completes with the first row. The result has a
// connection of its own until its rows or the loop over them end, it is closed, or
// ctx ends. A stream that is garbage collected while it is open is closed, with a
// ResourceWarning.
//
// A write is not stopped when its stream is closed. If ctx ends first, fetches fail
// with ErrOutcomeUnknown.
func (e *Engine) StreamAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	place := caller(e.config)
	q := newRequest(query, args)
	f := new(Future[*Result])
	f.origin, f.place = e.config, place
	o := q.options(e.config)
	ctx = o.traced(ctx, e.config)
	making, err := e.making(ctx, place)
	if err != nil {
		o.trace.End(err)
		f.settle(err)
		return f
	}
	f.cancel = making
	go func() {
		r, err := e.openStream(making.ctx, ctx, place, q, o.trace)
		if err != nil && e.ctx.Err() != nil && !errors.Is(err, ErrOutcomeUnknown) {
			err = ErrClosed
		}
		f.value = r
		e.made(making)
		defer f.settle(err)
		if err != nil {
			o.trace.End(err)
		}
	}()
	return f
}

// openStream opens a stream on a connection of its own. If that turns out to be
// dead, it takes another one.
func (e *Engine) openStream(opening, ctx context.Context, place site, q *request, trace *pinned.Trace) (*Result, error) {
	for attempt := 1; ; attempt++ {
		s, err := e.openSession(opening, place)
		if err != nil {
			return nil, err
		}
		again := s.lease.reused || attempt <= 2
		r, err := streamOn(opening, ctx, s, place, q, trace, true).Await(background)
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

// StreamAsync is Engine.StreamAsync on this connection. On databases that can have
// only one result open at a time, such as MySQL, other calls fail with ErrStreamOpen
// meanwhile. On SQLite they do if the statement writes and no transaction is open: it is
// committed at its end.
func (c *Conn) StreamAsync(ctx context.Context, query string, args ...any) *Future[*Result] {
	q := newRequest(query, args)
	place := caller(c.s.config)
	if c.closed.Load() {
		return completed[*Result](c.s.config, nil, ErrClosed)
	}
	return streamOn(ctx, ctx, c.s, place, q, nil, false)
}

// streamOn opens a stream on a session. opening bounds the opening, ctx the rest. A stream
// that owns its session has a trace, or none, already; whoever has made it ends it if the
// stream cannot be opened.
func streamOn(opening, ctx context.Context, s *session, place site, q *request, trace *pinned.Trace, owns bool) *Future[*Result] {
	o := q.options(s.config)
	o.place, o.trace, o.goesOn = place, trace, true
	st := &stream{s: s, owns: owns, place: place, since: now(), query: q.Query, plain: o.kind == read}
	o.undo = func(l *lane) { st.end(l, ErrClosed) }
	if err := s.enter(&o); err != nil {
		return completed[*Result](s.config, nil, err)
	}
	if owns {
		o.op = 0
	} else {
		ctx = o.traced(ctx, s.config)
		opening = ctx
	}
	st.trace = o.trace
	given := ctx
	if !s.lane.pc.Stops() { // the driver watches the context while the rows are open
		given, st.abort = context.WithCancel(ctx)
		o.abort = st.abort
	}
	f := start(opening, s.queue, o, func(inner context.Context, l *lane) (*Result, error) {
		if st.abort != nil {
			inner = given
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
		// The others are read ahead: the second row may be slow.
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
	if st.abort != nil {
		f.whenDone(func() {
			if f.err != nil {
				st.abort()
			}
		})
	}
	return f
}

// writes reports whether the stream may be one of a write.
func (st *stream) writes() bool { return !st.plain }

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

// read reads rows on the thread until n are buffered; -1 means all. For 0 it reads
// ahead, and does not delay fetches whose rows have arrived. If the stream has ended
// it returns why.
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
		st.got++
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
	if st.abort != nil {
		st.abort()
	}
	if st.owns && l.pc.RollBackOpen() {
		closing = leftOpen(closing)
	}
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
		st.traceEnd(l, why)
		st.release()
	}
}

// release closes the stream's own session after the stream has ended and no fetch
// waits. A fetch may not have reached the session's queue yet.
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
	if st.abort == nil || !st.plain {
		return l.closeRows(st.rows, st.plain)
	}
	timer := time.AfterFunc(pinned.Grace, st.abort) // it may read the rest of them
	err := st.rows.Close()
	if !timer.Stop() {
		return nil
	}
	return err
}

// closeRows closes rows. On some databases that means to read the rest. If the query
// only reads, the database is then asked to stop after a while.
func (l *lane) closeRows(rows *pinned.Rows, plain bool) error {
	if plain && l.q.config.dialect.oneResult() {
		return rows.CloseSoon(patience)
	}
	return rows.Close()
}

// setBusy refuses other users of the connection, such as SyncConn, while a stream is
// open, if the connection can have only one result open.
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
// The future's error is that of closing the rows, if nobody has been told of it.
// quietly says that nobody will look at the future.
func (st *stream) closeAsync(why error, quietly bool) *Future[struct{}] {
	st.mu.Lock()
	if st.closing != nil {
		defer st.mu.Unlock()
		return st.closing
	}
	f := &Future[struct{}]{core: core{origin: st.s.config, cancel: closing{st.s}, place: st.place, quiet: quietly}}
	st.closing, st.closed = f, why
	st.cleanup.Stop()
	over, untold := st.err != nil, st.untold
	st.buffered, st.size = nil, 0
	if over {
		st.err = why
	}
	calls := []*core{st.ahead}
	for _, w := range st.fetches {
		calls = append(calls, w.call)
	}
	st.mu.Unlock()
	if over {
		f.settle(untold)
		return f
	}
	o := callOptions{kind: ending, quiet: true, tidy: true, trace: st.trace, place: st.place, describe: "CloseAsync of a stream"}
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
	for _, c := range calls { // now that closing comes before whatever they let go on
		st.stopIfClosed(c)
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

// stopIfClosed has a fetch, or reading ahead, stopped once the stream was closed. A
// write is stopped by the end of its context alone. Without an adapter stopping may cost
// the connection, so most are given the time to end by themselves.
func (st *stream) stopIfClosed(c *core) {
	st.mu.Lock()
	why := st.closed
	st.mu.Unlock()
	switch {
	case c == nil || why == nil || !st.plain && why == ErrClosed:
	case st.abort != nil && why == ErrClosed:
		time.AfterFunc(pinned.Grace, func() { c.stop(why) })
	default:
		c.stop(why)
	}
}
