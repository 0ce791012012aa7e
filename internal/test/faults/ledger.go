package main

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// An outcome is what a writer was told of a unit.
type outcome uint8

const (
	acknowledged outcome = iota
	refused              // an error that says that it was not made
	unknown              // an error that leaves it open
)

// A belief is what a writer knows about a unit after its answer.
type belief struct {
	unit int64
	way  string
	told outcome
}

// A ledger is what writers were told. It is safe for concurrent use.
//
// A unit that is not in it was never answered, or its writer died first: it may
// be there or not, but not in part.
type ledger struct {
	mu     sync.Mutex
	told   map[int64]belief // guarded by mu
	counts [3]int           // guarded by mu: of the outcomes
	errors map[string]int   // guarded by mu: the answers of those not acknowledged
}

func newLedger() *ledger {
	return &ledger{told: make(map[int64]belief), errors: make(map[string]int)}
}

// tell enters an answer.
func (l *ledger) tell(b belief, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told[b.unit] = b
	l.counts[b.told]++
	if err != nil {
		l.errors[kind(err)]++
	}
}

var quoted = regexp.MustCompile(`'[0-9]+'`)

// kind returns what errors of one kind have in common: the first line, without
// keys.
func kind(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return quoted.ReplaceAllString(line, "'…'")
}

// audit compares the answers with what is in the database, by a bare connection,
// and adds what it finds to r. No writer may be at work.
func (l *ledger) audit(ctx context.Context, bare *sql.DB, r *report) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	there, size, err := readUnits(ctx, bare)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	r.Acknowledged += l.counts[acknowledged]
	r.Refused += l.counts[refused]
	r.Unknown += l.counts[unknown]

	found := make(map[string]*finding)
	note := func(kind string, unit int64) {
		f := found[kind+" "+l.told[unit].way]
		if f == nil {
			f = &finding{kind: kind, way: cmp.Or(l.told[unit].way, "a writer that died")}
			found[kind+" "+l.told[unit].way] = f
		}
		f.add(unit, there[unit], size[unit])
	}
	for unit, b := range l.told {
		switch n := there[unit]; {
		case b.told == acknowledged && (n == 0 || n < size[unit]):
			r.Lost++
			note("lost", unit)
		case b.told == refused && n > 0:
			r.Kept++
			note("kept", unit)
		}
	}
	for unit, n := range there {
		if n < size[unit] {
			r.Half++
			note("half", unit)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		r.notef("%s", found[key])
	}
	return nil
}

// readUnits returns how many rows each unit has, and how many it should have.
func readUnits(ctx context.Context, bare *sql.DB) (there, size map[int64]int, err error) {
	rows, err := bare.QueryContext(ctx, "SELECT unit, size FROM writes")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	there, size = make(map[int64]int), make(map[int64]int)
	for rows.Next() {
		var unit int64
		var n int
		if err := rows.Scan(&unit, &n); err != nil {
			return nil, nil, err
		}
		there[unit]++
		size[unit] = n
	}
	return there, size, rows.Err()
}

// commonErrors returns the most frequent answers of units that were not
// acknowledged.
func (l *ledger) commonErrors(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	texts := slices.SortedFunc(maps.Keys(l.errors), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.errors[b], l.errors[a]), cmp.Compare(a, b))
	})
	var b strings.Builder
	for _, text := range texts[:min(n, len(texts))] {
		fmt.Fprintf(&b, "\n%d × %s", l.errors[text], text)
	}
	if len(texts) > n {
		fmt.Fprintf(&b, "\nand %d others", len(texts)-n)
	}
	return b.String()
}

// A finding is all that is wrong in one respect with one way of writing.
type finding struct {
	kind, way string
	n         int
	examples  []string
}

func (f *finding) add(unit int64, there, size int) {
	f.n++
	if len(f.examples) < 3 {
		example := fmt.Sprintf("unit %#x: %d of %d rows", unit, there, size)
		if there == 0 {
			example = fmt.Sprintf("unit %#x: no row", unit)
		}
		f.examples = append(f.examples, example)
	}
}

func (f *finding) String() string {
	return fmt.Sprintf("%s: %d by %s (%s)", f.kind, f.n, f.way, strings.Join(f.examples, ", "))
}
