package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A recorder is a testing.TB that keeps the failures of what is tested here.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// The ledger finds each kind of difference, and nothing where there is none.
func TestLedgerFindsDifferences(t *testing.T) {
	doubt := fmt.Errorf("%w: no answer", overlay.ErrOutcomeUnknown)
	l := newLedger()
	acked, failed, open := l.next("acked"), l.next("failed"), l.next("open")
	l.told(acked, nil)
	l.told(failed, errors.New("no"))
	l.told(open, doubt)
	g := l.begin("group")
	a, b, no := g.next(), g.next(), g.next()
	g.told(a, nil)
	g.told(b, nil)
	g.told(no, errors.New("no"))
	n := g.nested("nested")
	inner := n.next()
	n.told(inner, nil)

	for _, c := range []struct {
		name          string
		group, nested error
		have          []int64
		failures      int
	}{
		{"as told", nil, nil, []int64{acked, a, b, inner}, 0},
		{"the unknown write is there", nil, nil, []int64{acked, open, a, b, inner}, 0},
		{"lost", nil, nil, []int64{a, b, inner}, 1},
		{"kept", nil, nil, []int64{acked, failed, a, b, inner}, 1},
		{"twice", nil, nil, []int64{acked, acked, a, b, inner}, 1},
		{"nobody's", nil, nil, []int64{acked, a, b, inner, 99}, 1},
		{"a refused statement of a transaction", nil, nil, []int64{acked, a, b, no, inner}, 1},
		{"half a transaction", nil, nil, []int64{acked, a, inner}, 1},
		{"a refused transaction", errors.New("no"), nil, []int64{acked}, 0},
		{"a refused transaction is there", errors.New("no"), nil, []int64{acked, a, b, inner}, 3},
		{"a refused savepoint", nil, errors.New("no"), []int64{acked, a, b}, 0},
		{"a refused savepoint is there", nil, errors.New("no"), []int64{acked, a, b, inner}, 1},
		{"an unknown transaction, made", doubt, nil, []int64{acked, a, b, inner}, 0},
		{"an unknown transaction, not made", doubt, nil, []int64{acked}, 0},
		{"an unknown transaction, half made", doubt, nil, []int64{acked, a}, 1},
	} {
		g.ended(c.group)
		n.ended(c.nested)
		have := make(map[int64]int)
		for _, id := range c.have {
			have[id]++
		}
		r := &recorder{TB: t}
		l.check(r, have)
		if len(r.failures) != c.failures {
			t.Errorf("%s: %d failures, want %d: %q", c.name, len(r.failures), c.failures, r.failures)
		}
	}
}
