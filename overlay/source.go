package overlay

import (
	"context"
	"database/sql/driver"
	"io"
	"slices"
	"time"
)

// source is the inner driver's rows of a Result, on their lane. Its fields are
// the thread's.
type source struct {
	lane   *lane
	rows   driver.Rows
	width  int
	fresh  bool                          // []byte values need no copy
	spool  func([][]driver.Value, error) // gives rows that were not asked for to the Result
	plain  bool                          // a SELECT: to stop it costs nothing but its rows
	full   bool                          // the last batch was cut for its size
	abort  context.CancelFunc            // of the context that the rows were opened with; may be nil
	closed error                         // what reading returns from now on; nil: it is open
}

const (
	batchRows  = 256
	batchBytes = 1 << 20
	// batchTime is after how long a batch is cut that has a row, so that
	// slow rows arrive when they are there.
	batchTime = time.Millisecond
)

// open runs a query on the thread.
func (l *lane) open(ctx context.Context, query string, args []driver.NamedValue) (*source, []string, error) {
	if err := l.usable(); err != nil {
		return nil, nil, err
	}
	rs, err := l.h.Query(ctx, query, args)
	if err != nil {
		return nil, nil, err
	}
	cols := rs.Columns()
	s := &source{lane: l, rows: rs, width: len(cols), fresh: l.h.FreshBytes(), plain: isSelect(query, l.home.config.dialect)}
	if !l.h.CanInterrupt() { // the driver watches the context for as long as the rows are open
		s.abort = l.current.Load().keepContext()
	}
	l.sources = append(l.sources, s)
	return s, cols, nil
}

// usable refuses statements in a transaction that the database has rolled back by
// itself: they would be carried out outside of it.
func (l *lane) usable() error {
	if l.tx.lost && len(l.tx.levels) > 0 {
		return errLost
	}
	l.ready()
	return nil
}

// ready makes way for another statement: most databases cannot have two results
// open on a connection, so the rest of the rows is fetched now.
func (l *lane) ready() {
	if len(l.sources) == 0 || !l.home.config.dialect.oneResult() {
		return
	}
	for _, s := range slices.Clone(l.sources) {
		s.spoolRest()
	}
}

func (s *source) spoolRest() {
	if s.spool == nil {
		return
	}
	s.spool(s.read(-1))
}

// dropSources closes what an interrupt meant for another call has reached too: SQLite
// stops all that its connection has begun, and keeps stopping what begins until
// nothing is left of that.
func (l *lane) dropSources() {
	for len(l.sources) > 0 {
		l.sources[len(l.sources)-1].close(errDropped)
	}
}

func (l *lane) closeSources() {
	for len(l.sources) > 0 {
		s := l.sources[len(l.sources)-1]
		s.close(ErrClosed)
		if s.spool != nil {
			s.spool(nil, ErrClosed)
		}
	}
}

// read returns the next rows: up to n, or for n < 0 all there are; for 0 a
// batch. After the last row, or an error, it closes the source: the error is
// then io.EOF or the driver's.
func (s *source) read(n int) (rows [][]driver.Value, err error) {
	if s.closed != nil {
		return nil, s.closed
	}
	most := n
	start := time.Time{}
	if n == 0 {
		most = batchRows
		start = time.Now()
	}
	var space []driver.Value
	bytes := 0
	for most < 0 || len(rows) < most {
		if len(space) < s.width {
			space = make([]driver.Value, s.width*s.chunk(len(rows), most))
		}
		row := space[:s.width:s.width]
		if err = s.rows.Next(row); err != nil {
			if closing := s.close(err); err == io.EOF && closing != nil {
				s.closed = closing
			}
			return rows, s.closed
		}
		space = space[s.width:]
		bytes += s.own(row)
		if len(rows) == cap(rows) {
			rows = slices.Grow(rows, s.chunk(len(rows), most))
		}
		rows = append(rows, row)
		s.full = bytes >= batchBytes
		if n == 0 && (s.full || (len(rows) < 8 || len(rows)%8 == 0) && time.Since(start) > batchTime) {
			break
		}
	}
	return rows, nil
}

// readAll reads the rest.
func (s *source) readAll() ([][]driver.Value, error) {
	rows, err := s.read(-1)
	if err != io.EOF {
		return nil, err
	}
	return rows, nil
}

// chunk is for how many rows space is made at once.
func (s *source) chunk(have, most int) int {
	n := min(max(2, have), 64)
	if most > 0 {
		n = min(n, most-have)
	}
	return n
}

// own copies what the driver may write over with its next row, and returns the
// size of text and binary values.
func (s *source) own(row []driver.Value) (bytes int) {
	for i, v := range row {
		switch v := v.(type) {
		case []byte:
			if !s.fresh && v != nil {
				row[i] = slices.Clone(v)
			}
			bytes += len(v)
		case string:
			bytes += len(v)
		}
	}
	return bytes
}

// close closes the rows. Reading returns why from now on.
func (s *source) close(why error) error {
	if s.closed != nil {
		return nil
	}
	s.closed = why
	if i := slices.Index(s.lane.sources, s); i >= 0 {
		s.lane.sources = slices.Delete(s.lane.sources, i, i+1)
	}
	if s.abort != nil {
		defer s.abort()
	}
	if !s.plain || !s.lane.h.CanInterrupt() || !s.lane.home.config.dialect.oneResult() {
		return s.rows.Close()
	}
	// Where a connection has but one result open, closing reads all its rows.
	done := s.lane.hurry()
	err := s.rows.Close()
	done()
	if s.lane.h.Interrupted(err) {
		return nil
	}
	return err
}
