package overlay

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// How a group ends.

// A commit is one of a group, under way.
type commit struct {
	since   time.Time
	members int
}

func (g *commitGroup) lose(fate groupFate, why error) { g.fate, g.why = fate, why }

func (g *commitGroup) unknown() error {
	if errors.Is(g.why, ErrOutcomeUnknown) {
		return g.why
	}
	return pinned.Unknown(g.why)
}

// settle commits, and tells the members that have run if it is known what has become of
// them. It returns false if they are to be run again.
func (g *commitGroup) settle() bool {
	if g.fate == groupOpen {
		g.commit()
	}
	switch g.fate {
	case groupLost:
		return len(g.done) == 0 && len(g.todo) == 0 && g.nothingOpen()
	case groupBroken:
		g.giveBack(false)
		return true
	case groupUnknown:
		for _, m := range g.done {
			if m.err == nil || m.keeps {
				m.deny(g.unknown())
			}
		}
		g.alone = append(g.todo, g.alone...)
	}
	g.over = append(g.over, g.done...)
	g.reset()
	g.tell()
	return true
}

// tell leaves the turn, and ends the members that are over, in order. What is to be called
// then may end the goroutine; the others are in the file nevertheless, or may be, and
// must not be run again.
func (g *commitGroup) tell() {
	g.l.leaveTurn()
	over := g.over
	g.over = nil
	each(over, func(m *member) { m.end(false) })
}

// nothingOpen ends a transaction that nobody is left in.
func (g *commitGroup) nothingOpen() bool {
	g.reset()
	return true
}

// commit commits, if anybody has done anything.
func (g *commitGroup) commit() {
	if g.tx == nil {
		return
	}
	kept := 0
	for _, m := range g.done {
		if m.err == nil || m.keeps || m.c.plain {
			kept++
		}
	}
	if kept == 0 {
		return // reset rolls back
	}
	var err error
	start := now()
	g.l.commits.Store(&commit{start, len(g.done)})
	g.l.pc.Run(background, new(pinned.Call), nil, pinned.Func(func(context.Context) { err = g.l.pc.Commit(g.tx) }))
	g.l.commits.Store(nil)
	took := time.Since(start)
	if err == nil {
		g.tx = nil
		g.w.committed(len(g.done), took)
		g.w.took += (min(took, 2*g.w.took+time.Microsecond) - g.w.took) / 8 // a checkpoint in one hardly counts
		for _, m := range g.done {
			m.c.trace.Shares(took)
		}
		return
	}
	switch {
	case !g.l.pc.Dead() && pinned.AnyIn(err, refusedCommit):
		g.lose(groupLost, err)
		if !pinned.AnyIn(err, conflicts) {
			g.single = true // find out whose fault it is
		}
	default:
		g.lose(groupUnknown, err)
	}
}

// refusedCommit reports whether err says that a COMMIT has changed nothing.
func refusedCommit(err error) bool {
	return conflicts(err) || strings.Contains(err.Error(), "constraint failed") || strings.HasPrefix(err.Error(), "database or disk is full")
}

// committed counts a group.
func (w *writer) committed(members int, took time.Duration) {
	s := &w.counted
	s.Lock()
	defer s.Unlock()
	s.Groups++
	s.Members += int64(members)
	s.Largest = max(s.Largest, members)
	s.Committing += took
}

// count counts calls that are run again.
func (g *commitGroup) count(n int) {
	g.w.counted.Lock()
	defer g.w.counted.Unlock()
	g.w.counted.RunsAgain += int64(n)
}

// giveBack gives the calls of a group whose connection is lost back to the queue. They are
// made again however often others have ended the thread.
func (g *commitGroup) giveBack(byOther bool) {
	var back []*call
	for _, c := range append(g.calls(), g.alone...) {
		if c.again(byOther) {
			back = append(back, c)
			continue
		}
		why := c.stopped()
		if why == nil {
			why = pinned.ErrLost
		}
		m := &member{c: c}
		m.deny(why)
		g.over = append(g.over, m)
	}
	g.done, g.todo, g.alone = nil, nil, nil
	g.w.queue.giveBack(back)
	g.tell()
}

// giveBack puts calls back to where they were taken from.
func (q *queue) giveBack(calls []*call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := len(calls) - 1; i >= 0; i-- {
		calls[i].since = time.Now()
		q.calls.pushFront(calls[i])
	}
}
