package overlay

import (
	"context"
	"errors"
	"io"
	"runtime"
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

// setBusy refuses other users of the connection, such as SyncConn, while a stream is
// open, if the connection can have only one result open.
func (l *lane) setBusy() {
	var why error
	if len(l.streams) > 0 {
		why = l.free()
	}
	l.pc.SetBusy(why, l.closeStreams)
}
