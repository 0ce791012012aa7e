package debug

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

const (
	longSeconds  = 1  // what runs or waits for that long is pointed out
	stuckSeconds = 10 // and is taken for stuck
	mostProblems = 6
)

// A problem is something to look at first.
type problem struct {
	Level   string // warn or bad
	Seconds float64
	Text    string
	What    string         // a statement; may be empty
	Place   *inspect.Place // nil: there is none
	Note    string         // what follows from it; may be empty
	Count   int            // how many there are; Seconds is that of the oldest
}

// like reports whether q is the same problem again, with another call.
func (p problem) like(q problem) bool {
	same := p.Place == q.Place || p.Place != nil && q.Place != nil && *p.Place == *q.Place
	return same && p.Text == q.Text && p.What == q.What && p.Note == q.Note
}

// problems are what has taken long, the worst first. What runs comes before what waits
// for it.
func problems(s *inspect.Snapshot) []problem {
	var ps []problem
	add := func(seconds float64, state, text, what string, place *inspect.Place, note string) {
		l := level(seconds, state)
		if l == "" {
			return
		}
		p := problem{l, seconds, text, what, place, note, 1}
		for i := range ps {
			if ps[i].like(p) {
				ps[i].Count++
				return
			}
		}
		ps = append(ps, p)
	}
	for _, c := range s.Running {
		note := map[string]string{
			inspect.Stopping: "It was asked to stop.",
			inspect.Left:     "It was asked to stop, and did not. Nobody waits for it, but its thread is busy.",
		}[c.State]
		what := c.What
		if c.Last != "" {
			what += ": " + c.Last
		}
		add(c.Seconds, c.State, "running, called from", what, c.Place, note)
	}
	for _, c := range s.Connections {
		switch {
		case c.State == "lost":
			add(c.Seconds, inspect.Left, "a connection is lost and has not been closed, from", "", c.Place, "")
		case len(c.Transactions) > 0:
			t := c.Transactions[len(c.Transactions)-1]
			add(c.Idle, "", "idle in a transaction, begun at", "", t.Place, "It may hold locks that others wait for.")
		case c.InTransaction:
			add(c.Idle, "", "idle in a transaction that a statement has begun, on the connection from", "", c.Place, "It may hold locks that others wait for.")
		case len(c.Streams) > 0:
			add(c.Idle, "", "a stream is not being read, from", c.Streams[0].What, c.Streams[0].Place, "")
		}
	}
	slices.SortStableFunc(ps, func(a, b problem) int { return cmp.Compare(b.Seconds, a.Seconds) })
	slices.SortStableFunc(ps, func(a, b problem) int { return cmp.Compare(a.Level, b.Level) })
	if len(ps) > mostProblems {
		ps = ps[:mostProblems]
	}
	if w := s.Waiting; w.Count > 0 {
		text := fmt.Sprintf("%d calls wait", w.Count)
		if w.Count == 1 {
			text = "1 call waits"
		}
		note := fmt.Sprintf("%d of %d lanes are busy.", busy(s), s.Lanes.Most)
		if s.Writer != nil && s.Writer.State != "idle" {
			note += " The writer is too."
		}
		add(w.Oldest, "", text, "", nil, note)
	}
	if n := len(s.Connecting); n > 0 {
		c := s.Connecting[0]
		note := "The pool has no limit, so the database does not answer."
		if s.Pool.Most > 0 {
			note = fmt.Sprintf("%d of the pool's %d connections are in use.", s.Pool.InUse, s.Pool.Most)
		}
		add(c.Seconds, "", "waiting for a connection, called from", "", c.Place, note)
	}
	return ps
}

// busy counts the lanes that are not idle.
func busy(s *inspect.Snapshot) (n int) {
	for _, l := range s.Lanes.Open {
		if l.State != "idle" {
			n++
		}
	}
	return n
}

// level is how bad it is that something takes so long.
func level(seconds float64, state string) string {
	switch {
	case seconds >= stuckSeconds, state == inspect.Left:
		return "bad"
	case seconds >= longSeconds:
		return "warn"
	}
	return ""
}

// heldLevel is how bad it is that a connection is held. Being idle is not, unless there
// is something open that others may have to wait for.
func heldLevel(c inspect.Connection) string {
	switch {
	case c.State == "lost":
		return "bad"
	case c.InTransaction, len(c.Streams) > 0:
		return level(c.Idle, "")
	}
	return ""
}
