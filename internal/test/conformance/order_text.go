package conformance

import (
	"regexp"
	"slices"
	"strings"
)

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

// unnumbered takes the numbers out of the objects' names: they differ when
// calls are missing that made some. It leaves out Stmt.Close, for the same
// reason; a statement that is not closed shows as left open.
func unnumbered(order []string) []string {
	var list []string
	for _, line := range order {
		object, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(rest, "Stmt.Close") {
			list = append(list, digits.ReplaceAllString(object, "")+" "+rest)
		}
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
