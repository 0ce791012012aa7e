package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/sqlaio/sqlaio/overlay"
)

// A belief is what a caller was told of a write or a transaction.
type belief uint8

const (
	refused belief = iota // or never made
	acknowledged
	unknown
)

func (b belief) String() string { return [...]string{"refused", "acknowledged", "unknown"}[b] }

func beliefOf(err error) belief {
	switch {
	case err == nil:
		return acknowledged
	case errors.Is(err, overlay.ErrOutcomeUnknown):
		return unknown
	}
	return refused
}

// A ledger is what the callers of one database were told.
type ledger struct {
	mu     sync.Mutex
	last   int64             // guarded by mu
	writes map[int64]*record // guarded by mu
}

// A record is one write. Its fields are guarded by the ledger's mutex.
type record struct {
	what   string
	belief belief
	err    error
	of     *group // nil: a transaction of its own
}

func newLedger() *ledger { return &ledger{writes: make(map[int64]*record)} }

// next returns the id of a new write, which counts as refused until told says otherwise.
func (l *ledger) next(what string) int64 { return l.add(what, nil) }

func (l *ledger) add(what string, of *group) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.writes[l.last] = &record{what: what, of: of}
	return l.last
}

// told enters what the caller was told of a write, and returns err.
func (l *ledger) told(id int64, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.writes[id]
	r.belief, r.err = beliefOf(err), err
	return err
}

// A group is a transaction, or a savepoint in another group. Its fields are guarded
// by the ledger's mutex.
type group struct {
	l      *ledger
	what   string
	belief belief
	err    error
	outer  *group
	parts  bool // it was ended by a statement: a part of it may be there
}

func (l *ledger) begin(what string) *group { return &group{l: l, what: what} }

func (g *group) nested(what string) *group { return &group{l: g.l, what: what, outer: g} }

func (g *group) next() int64 { return g.l.add(g.what, g) }

func (g *group) told(id int64, err error) error { return g.l.told(id, err) }

// split notes that a step ends the transaction, if it does.
func (g *group) split(s step) {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	for ; s.control && g != nil; g = g.outer {
		g.parts, g.belief = true, unknown // until somebody is told
	}
}

// ended enters what the caller was told of the transaction, and returns err.
func (g *group) ended(err error) error {
	g.l.mu.Lock()
	defer g.l.mu.Unlock()
	g.belief, g.err = beliefOf(err), err
	if errors.Is(err, overlay.ErrTxEnded) {
		g.belief = unknown
	}
	return err
}

// check compares the ledger with the table: how often each id is in it.
func (l *ledger) check(t failer, have map[int64]int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var lost, kept, other []string
	open := make(map[*group]map[bool]int) // of unknown outcome: how many acknowledged rows are there, and are not
	for id, r := range l.writes {
		want, told, top := r.belief, r.describe(), r.of
		for g := r.of; g != nil; g = g.outer {
			told += fmt.Sprintf(", its transaction %v (%v)", g.belief, g.err)
			top = g
			if want == refused || g.belief == refused {
				want = refused
			} else if g.belief == unknown {
				want = unknown
			}
		}
		n := have[id]
		switch {
		case want == acknowledged && n == 0:
			lost = append(lost, fmt.Sprintf("row %d of %s is gone, but %s", id, r.what, told))
		case want == refused && n != 0:
			kept = append(kept, fmt.Sprintf("row %d of %s is there, but %s", id, r.what, told))
		case n > 1:
			other = append(other, fmt.Sprintf("row %d of %s is there %d times", id, r.what, n))
		case want == unknown && top != nil && !top.parts && r.belief == acknowledged:
			if open[top] == nil {
				open[top] = make(map[bool]int)
			}
			open[top][n == 1]++
		}
	}
	for g, n := range open {
		if n[true] > 0 && n[false] > 0 {
			other = append(other, fmt.Sprintf("%s: %d rows of the transaction are there, %d are not", g.what, n[true], n[false]))
		}
	}
	for id := range have {
		if l.writes[id] == nil && id != noID {
			other = append(other, fmt.Sprintf("row %d is there, and nobody has written it", id))
		}
	}
	report(t, "acknowledged and lost", lost)
	report(t, "refused and kept", kept)
	report(t, "wrong", other)
}

func (r *record) describe() string { return fmt.Sprintf("%v (%v)", r.belief, r.err) }

// failer is what testing.T and rapid.T have in common here.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
}

func report(t failer, kind string, texts []string) {
	t.Helper()
	slices.Sort(texts)
	for i, text := range texts {
		if i == 8 {
			t.Errorf("%s: %d more", kind, len(texts)-i)
			return
		}
		t.Errorf("%s: %s", kind, text)
	}
}

// errUnknown is what a caller is told who has to look for himself.
var errUnknown = fmt.Errorf("the test: %w", overlay.ErrOutcomeUnknown)
