package drivertest

import (
	"fmt"
	"slices"
)

// Threads returns, for each connection, the threads its calls came in on, in
// the order they were first seen.
func (d *Driver) Threads() map[int][]int {
	seen := map[int][]int{}
	for _, c := range d.Log() {
		if c.Conn > 0 && !slices.Contains(seen[c.Conn], c.Thread) {
			seen[c.Conn] = append(seen[c.Conn], c.Thread)
		}
	}
	return seen
}

// ThreadViolations returns the calls that did not come in on the thread of
// their connection's first call, and the connections that had the thread of
// another connection while that was open. It finds nothing where threads have
// no known id.
func (d *Driver) ThreadViolations() []string {
	var found []string
	home := map[int]int{}  // connection to thread
	owner := map[int]int{} // thread to the open connection that has it
	for _, c := range d.Log() {
		if c.Conn == 0 || c.Thread == 0 {
			continue
		}
		if _, known := home[c.Conn]; !known {
			home[c.Conn] = c.Thread
			if other, taken := owner[c.Thread]; taken {
				found = append(found, fmt.Sprintf("connections %d and %d share thread %d", other, c.Conn, c.Thread))
			}
			owner[c.Thread] = c.Conn
		}
		if c.Thread != home[c.Conn] {
			found = append(found, fmt.Sprintf("#%d %v ran on thread %d, not %d", c.Seq, c, c.Thread, home[c.Conn]))
		}
		if ends(c) {
			delete(owner, home[c.Conn])
		}
	}
	return found
}

// ends reports whether no connection is left after the call.
func ends(c Call) bool {
	switch c.Method {
	case "Conn.Close":
		return true
	case "Driver.Open", "Connector.Connect":
		return c.Done && (c.Err != nil || c.Panicked)
	}
	return false
}
