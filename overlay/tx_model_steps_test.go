package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

// marks are functions that the SQL function mark calls, once.
type marks struct {
	mu sync.Mutex
	n  int64            // guarded by mu
	fn map[int64]func() // guarded by mu
}

func newMarks() *marks { return &marks{fn: map[int64]func(){}} }

// add returns the number under which mark calls fn.
func (s *marks) add(fn func()) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.fn[s.n] = fn
	return s.n
}

// mark is the SQL function.
func (s *marks) mark(id, row int64) int64 {
	if row == 10 {
		s.mu.Lock()
		fn := s.fn[id]
		delete(s.fn, id)
		s.mu.Unlock()
		if fn != nil {
			fn()
		}
	}
	return row
}

func (m *txMachine) begin() {
	tx, err := m.c.BeginAsync(background, nil).Await(background)
	switch {
	case len(m.levels) > 0 && err == overlay.ErrInTransaction:
	case m.raw && err != nil:
	case !m.inTx() && err == nil:
		m.begun(tx)
	default:
		m.t.Fatalf("BeginAsync gave %v", err)
	}
}

func (m *txMachine) nested() {
	tx, err := m.c.BeginNestedAsync(background).Await(background)
	switch {
	case m.raw && err != nil:
	case !m.raw && err == nil:
		m.begun(tx)
	default:
		m.t.Fatalf("BeginNestedAsync gave %v", err)
	}
}

func (m *txMachine) begun(tx *overlay.Tx) {
	h := &txHandle{tx: tx, before: maps.Clone(m.now), open: true}
	m.levels = append(m.levels, h)
	m.handles = append(m.handles, h)
}

// endLevel ends one of the transactions and savepoints there ever were.
func (m *txMachine) endLevel() {
	h := m.handles[rapid.IntRange(0, len(m.handles)-1).Draw(m.t, "handle")]
	if len(m.levels) > 0 && rapid.IntRange(0, 3).Draw(m.t, "an open one") > 0 {
		h = m.levels[rapid.IntRange(0, len(m.levels)-1).Draw(m.t, "level")]
	}
	how := rapid.SampledFrom([]string{"commit", "commit", "rollback", "close"}).Draw(m.t, "how")
	var err error
	switch how {
	case "commit":
		_, err = h.tx.CommitAsync(background).Await(background)
	case "rollback":
		_, err = h.tx.RollbackAsync(background).Await(background)
	case "close":
		_, err = h.tx.CloseAsync(background).Await(background)
	}
	want := error(nil)
	switch {
	case h.closed && how != "close":
		want = overlay.ErrClosed
	case !h.open && how != "close":
		want = sql.ErrTxDone
	}
	if err != want {
		m.t.Fatalf("%s gave %v, want %v", how, err, want)
	}
	if h.open {
		m.ended(h, how == "commit")
	}
}

// ended does what the end of a level does to the table.
func (m *txMachine) ended(h *txHandle, commit bool) {
	at := slices.Index(m.levels, h)
	for _, inner := range m.levels[at:] {
		inner.open = false
	}
	m.levels = m.levels[:at]
	if !commit {
		m.now = maps.Clone(h.before)
	}
	m.changed()
	if at == 0 {
		m.outside()
	}
}

// lost does what a rollback by the database does: the levels are still to be
// ended.
func (m *txMachine) lost() {
	m.now = maps.Clone(m.committed)
	if m.raw { // what comes is refused until another statement says that it is over
		m.raw = false
		if _, err := m.c.ExecAsync(background, "delete from t").Await(background); !errors.Is(err, overlay.ErrRolledBack) {
			m.t.Fatalf("a statement after the rollback gave %v", err)
		}
		end := rapid.SampledFrom([]string{"commit", "rollback"}).Draw(m.t, "end what is lost")
		if _, err := m.c.ExecAsync(background, end).Await(background); err == nil {
			m.t.Fatalf("%s of a transaction that the database had rolled back", end)
		}
	}
	if len(m.levels) == 0 {
		return
	}
	h := m.levels[0]
	m.levels = nil
	if rapid.Bool().Draw(m.t, "commit what is lost") {
		if _, err := h.tx.CommitAsync(background).Await(background); err == nil {
			m.t.Fatalf("a transaction was committed that the database had rolled back")
		}
	} else if _, err := h.tx.RollbackAsync(background).Await(background); err != nil {
		m.t.Fatalf("RollbackAsync gave %v", err)
	}
	for _, h := range m.handles {
		h.open = false
	}
	m.outside()
}

const endless = "with recursive g(i) as (select 1 union all select i + 1 from g where i < 100000000) "

// cancelWrite interrupts a write, upon which SQLite rolls back.
func (m *txMachine) cancelWrite() {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	id := txMarks.add(cancel)
	_, err := m.c.ExecAsync(ctx, fmt.Sprintf("insert or replace into t "+endless+"select i, mark(%d, i) from g", id)).Await(background)
	switch {
	case errors.Is(err, overlay.ErrOutcomeUnknown): // it was left on a busy machine, and ends later
		for start := time.Now(); m.c.InTransaction() && time.Since(start) < 10*time.Second; {
			time.Sleep(time.Millisecond)
		}
	case err != context.Canceled:
		m.t.Fatalf("an interrupted write gave %v", err)
	}
	if m.c.InTransaction() {
		m.t.Fatalf("a transaction is open after its write was interrupted")
	}
	m.lost()
}

// cancelRead interrupts a query, which costs nothing else.
func (m *txMachine) cancelRead() {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	id := txMarks.add(cancel)
	_, err := m.c.ScalarAsync(ctx, fmt.Sprintf(endless+"select sum(mark(%d, i)) from g", id)).Await(background)
	if !errors.Is(err, context.Canceled) {
		m.t.Fatalf("an interrupted query gave %v", err)
	}
}

// rawStep begins or ends a transaction by a statement.
func (m *txMachine) rawStep() {
	switch {
	case m.raw:
		how := rapid.SampledFrom([]string{"commit", "rollback"}).Draw(m.t, "how")
		m.must(m.c.ExecAsync(background, how))
		m.raw = false
		if how == "rollback" {
			m.now = maps.Clone(m.committed)
		}
		m.changed()
		m.outside()
	case len(m.levels) == 0:
		m.must(m.c.ExecAsync(background, "begin"))
		m.raw = true
	}
}

// closeConn closes the connection with whatever is open, and opens another.
func (m *txMachine) closeConn() {
	for range rapid.IntRange(1, 2).Draw(m.t, "times") {
		if _, err := m.c.CloseAsync(background).Await(background); err != nil {
			m.t.Fatalf("CloseAsync: %v", err)
		}
	}
	for _, h := range m.handles {
		h.open, h.closed = false, true
	}
	if _, err := m.c.ExecAsync(background, "delete from t").Await(background); err != overlay.ErrClosed {
		m.t.Fatalf("a call after CloseAsync gave %v", err)
	}
	for _, r := range m.results {
		r.FetchAllAsync(background).Await(background)
	}
	m.levels, m.raw, m.results = nil, false, nil
	m.now = maps.Clone(m.committed)
	m.outside()
	m.connect()
}
