package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sqlaio/sqlaio/internal/drivertest"
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

// timing classifies a call. closing holds what may be closed early.
func (s *suite) timing(c drivertest.Call, closing map[string]bool) timing {
	switch c.Method {
	case "Conn.IsValid", "Rows.Columns", "Rows.HasNextResultSet", "Stmt.NumInput", "Stmt.ColumnConverter",
		"Result.LastInsertId", "Result.RowsAffected":
		return free
	case "Rows.Next":
		if !s.lazy {
			return early
		}
	case "Rows.Close", "Stmt.Close":
		if !s.lazy && closing[c.Object] {
			return early
		}
	}
	if strings.HasPrefix(c.Method, "Rows.ColumnType") || c.Method == "Rows.Close" && isCursor(c.Object) {
		return free
	}
	return fixed
}

// isCursor reports whether the object is rows that were a value of a row. The
// bare driver's are closed when the program does it, or never.
func isCursor(object string) bool { return strings.Contains(object, ".n") }

// A moment is when an early call came: after how many fixed ones.
type moment struct {
	call  drivertest.Call
	after int
}

// split takes the log apart. Early calls are kept by object, result set and
// method.
func (s *suite) split(log []drivertest.Call, closing map[string]bool) (order []string, moments map[string][]moment) {
	moments = map[string][]moment{}
	sets := map[string]int{} // result sets that rows have gone through
	for _, c := range log {
		if c.Method == "Rows.NextResultSet" {
			sets[c.Object]++
		}
		switch s.timing(c, closing) {
		case fixed:
			order = append(order, c.String())
		case early:
			key := fmt.Sprintf("%s set %d %s", c.Object, sets[c.Object]+1, c.Method)
			if c.Method != "Rows.Next" {
				key = c.Object + " " + c.Method
			}
			moments[key] = append(moments[key], moment{c, len(order)})
		}
	}
	return sortStmtCloses(order), moments
}

// closable returns what a wrapper may close before the reader gets there: rows
// that it has seen come to their end or to an error, and the statement that
// database/sql has made for such rows alone, if it is closed right after them.
func closable(log []drivertest.Call) map[string]bool {
	objects := map[string]bool{}
	justClosed := "" // rows
	for _, c := range log {
		switch {
		case c.Method == "Rows.Next" && (c.Err != nil || c.Panicked):
			objects[c.Object] = true
		case c.Method == "Rows.Close":
			justClosed = c.Object
			continue
		case c.Method == "Stmt.Close" && objects[justClosed] && strings.HasPrefix(justClosed, c.Object+"."):
			objects[c.Object] = true
		}
		justClosed = ""
	}
	return objects
}

// sortStmtCloses sorts adjacent Stmt.Close calls: database/sql itself closes a
// connection's statements in random order.
func sortStmtCloses(order []string) []string {
	closes := func(line string) bool { return strings.Contains(line, " Stmt.Close") }
	for i := 0; i < len(order); i++ {
		j := i
		for j < len(order) && closes(order[j]) {
			j++
		}
		slices.Sort(order[i:j])
		i = max(i, j-1)
	}
	return order
}

// compareOrder returns how the calls differ.
func (s *suite) compareOrder(bare, wrapped []drivertest.Call, withdrawn bool) []string {
	closing := closable(wrapped)
	b, bareMoments := s.split(bare, closing)
	w, wrappedMoments := s.split(wrapped, closing)
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
	for key, w := range wrapped {
		// Rows that nobody read: fetching ahead is allowed, closing was counted.
		if bare[key] == nil && w[0].call.Method != "Rows.Next" {
			found = append(found, fmt.Sprintf("%s: %d calls, none on the bare driver", key, len(w)))
		}
	}
	slices.Sort(found)
	return found
}

// unnumbered takes the numbers out of the objects' names: they differ when
// calls are missing that made some.
func unnumbered(order []string) []string {
	list := make([]string, len(order))
	for i, line := range order {
		object, rest, _ := strings.Cut(line, " ")
		list[i] = digits.ReplaceAllString(object, "") + " " + rest
	}
	return list
}

var digits = regexp.MustCompile("[0-9]+")

// subsequence reports whether part can be had from all by leaving out lines,
// or the first line that is too much.
func subsequence(part, all []string) (extra string, ok bool) {
	for _, line := range part {
		i := slices.Index(all, line)
		if i < 0 {
			return line, false
		}
		all = all[i+1:]
	}
	return "", true
}
