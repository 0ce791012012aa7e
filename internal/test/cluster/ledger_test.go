package cluster

import (
	"context"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// outcome is what a writer was told of a write.
type outcome uint8

const (
	acknowledged outcome = iota
	refused              // an error that says that it was not made
	unknown              // an error that leaves it open
)

// ledger is what writers were told, of all writes that are over.
type ledger struct {
	mu     sync.Mutex
	told   map[int64]outcome // guarded by mu
	counts [3]int            // guarded by mu: of the outcomes
	begun  map[int]time.Time // guarded by mu: of a writer, when its last acknowledged write began
	errors map[string]int    // guarded by mu: what came instead of acknowledgements
}

func newLedger() *ledger {
	return &ledger{told: make(map[int64]outcome), begun: make(map[int]time.Time), errors: make(map[string]int)}
}

func (l *ledger) enter(writer int, id int64, begun time.Time, o outcome, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[id] = o
	l.counts[o]++
	if o == acknowledged {
		l.begun[writer] = begun
	} else {
		l.errors[err.Error()]++
	}
}

// caughtUp reports whether every writer has had a write acknowledged that it has begun
// after a time.
func (l *ledger) caughtUp(writers int, after time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range writers {
		if !l.begun[w].After(after) {
			return false
		}
	}
	return true
}

func (l *ledger) snapshot() map[int64]outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.told)
}

// audit compares what writers were told with what a node has.
func (l *ledger) audit(t *testing.T, n *nodes, node int) (lost, phantom int) {
	t.Helper()
	told := l.snapshot() // first: what is acknowledged now must be there later
	has := make(map[int64]bool)
	for _, id := range read(t, n, node, "SELECT id FROM writes") {
		has[id] = true
	}
	for id, o := range told {
		switch {
		case o == acknowledged && !has[id]:
			lost++
			t.Errorf("node %d: write %x was acknowledged, and is lost", node+1, id)
		case o == refused && has[id]:
			phantom++
			t.Errorf("node %d: write %x was refused, and is there", node+1, id)
		}
	}
	return lost, phantom
}

// read returns the numbers that a query has for its only column, on one node.
func read(t *testing.T, n *nodes, node int, query string) (numbers []int64) {
	t.Helper()
	ctx := context.Background()
	e, err := overlay.Open("mysql", n.patient(node))
	must(t, err)
	defer e.Shutdown(ctx)
	result, err := e.QueryAsync(ctx, query).Await(ctx)
	must(t, err)
	for row, err := range result.Rows(ctx) {
		must(t, err)
		var number int64
		must(t, row.Scan(&number))
		numbers = append(numbers, number)
	}
	return numbers
}
