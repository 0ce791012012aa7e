package conformance

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// When a call may come to the wrapped driver, compared with the bare one.
type timing int

const (
	// fixed calls come in the same order and number.
	fixed timing = iota
	// early calls come as often or, being fetched ahead, oftener; each comes no
	// later among the fixed ones than its counterpart.
	early
	// free calls only ask: a wrapper may ask ahead, once, or not at all. What
	// comes of the answers is compared anyway.
	free
)

// timing classifies a call. closes has what closeTimings found.
func (s *suite) timing(c drivertest.Call, closes map[string]timing) timing {
	switch c.Method {
	case "Conn.IsValid", "Rows.Columns", "Rows.HasNextResultSet", "Stmt.NumInput", "Stmt.ColumnConverter",
		"Result.LastInsertId", "Result.RowsAffected":
		return free
	case "Rows.NextResultSet":
		if c.Err == io.EOF { // HasNextResultSet has said so before
			return free
		}
	case "Rows.Next":
		if !s.lazy {
			return early
		}
	case "Rows.Close", "Stmt.Close":
		return closes[c.Object]
	}
	if strings.HasPrefix(c.Method, "Rows.ColumnType") {
		return free
	}
	return fixed
}

// A moment is when an early call came: after how many fixed ones.
type moment struct {
	call  drivertest.Call
	after int
}

// split takes the log apart. Early calls are kept by object, result set and
// method. Asking for another row after the end of a set counts for nothing: a
// wrapper knows the answer.
func (s *suite) split(log []drivertest.Call, closes map[string]timing) (order []string, moments map[string][]moment) {
	moments = map[string][]moment{}
	sets := map[string]int{}  // result sets that rows have gone through
	over := map[string]bool{} // those that have come to their end
	for _, c := range log {
		key := c.Object + " " + c.Method
		switch c.Method {
		case "Rows.NextResultSet":
			sets[c.Object]++
		case "Rows.Next":
			key = fmt.Sprintf("%s of set %d", key, sets[c.Object]+1)
			if over[key] {
				continue
			}
			over[key] = c.Err != nil
		}
		switch s.timing(c, closes) {
		case fixed:
			order = append(order, c.String())
		case early:
			moments[key] = append(moments[key], moment{c, len(order)})
		}
	}
	return sortStmtCloses(order), moments
}

// compareOrder returns how the calls differ.
func (s *suite) compareOrder(bare, wrapped []drivertest.Call, withdrawn bool) []string {
	closes := s.closeTimings(bare, wrapped)
	b, bareMoments := s.split(bare, closes)
	w, wrappedMoments := s.split(wrapped, closes)
	if withdrawn {
		if line, ok := subsequence(unnumbered(w), unnumbered(b)); !ok {
			return []string{fmt.Sprintf("driver call that the bare driver did not get there: %s\n%s", line, diff(b, w))}
		}
		return nil
	}
	if d := diff(b, w); d != "" {
		return []string{"driver calls differ:\n" + d}
	}
	return compareMoments(bareMoments, wrappedMoments)
}

// compareMoments compares the early calls. Those that the bare driver never gets
// are no matter: rows that nobody reads, or forgets to close.
func compareMoments(bare, wrapped map[string][]moment) []string {
	var found []string
	for key, b := range bare {
		w := wrapped[key]
		if len(w) < len(b) {
			found = append(found, fmt.Sprintf("%s: %d calls, %d on the bare driver", key, len(w), len(b)))
			continue
		}
		last := b[len(b)-1].call
		if len(w) > len(b) && (last.Method != "Rows.Next" || last.Err != nil || last.Panicked) {
			found = append(found, fmt.Sprintf("%s: %d calls, just %d on the bare driver", key, len(w), len(b)))
		}
		for i := range b {
			if w[i].after > b[i].after {
				found = append(found, fmt.Sprintf("%s: call %d comes late: after %d other calls, not %d", key, i+1, w[i].after, b[i].after))
				break
			}
		}
	}
	slices.Sort(found)
	return found
}
