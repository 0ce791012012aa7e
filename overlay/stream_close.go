package overlay

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

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

// finish closes rows that nobody else has got, and keeps them for another query.
func (l *lane) finish(rows *pinned.Rows, plain bool) error {
	err := l.closeRows(rows, plain)
	if rows.Gone() {
		*rows = pinned.Rows{} // an idle lane keeps nothing of its last query
		l.spare = rows
	}
	return err
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
