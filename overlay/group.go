package overlay

import (
	"context"
	"runtime"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

const (
	// mostMembers and longestGroup bound a group: when one of them is reached, it is
	// committed, however many wait.
	mostMembers  = 1024
	longestGroup = 5 * time.Millisecond
	// mostRuns is how often a group is run. Then its members run one by one.
	mostRuns = 3

	// A group waits for those who were told of the last one and have not written again:
	// most of them will as soon as they get a processor, and would have to wait for a whole
	// COMMIT. It waits for a part of the time that COMMITs take lately.
	waitPart  = 8
	leastWait = 20 * time.Microsecond // a thread switch takes as long
	mostWait  = 100 * time.Microsecond
	// mostYields ends a wait by a clock that stands still: testing/synctest's.
	mostYields = 100
)

// A commitGroup is calls in one transaction. None is over before the COMMIT, so that each
// hears what is in the file. It is the writer's thread's. A member is in done when it has
// run; one that has cost the group its transaction is not.
type commitGroup struct {
	w      *writer
	l      *lane
	tx     *pinned.Tx // nil: not begun
	fate   groupFate
	why    error     // of the fate
	single bool      // members run one by one
	ran    int       // calls that were begun
	keep   bool      // what the member that runs has done is kept though it fails
	done   []*member // have run, in order
	todo   []*call   // are to be run again
	alone  []*call   // are to be run again, each in a transaction of its own
	over   []*member // are to be told when no transaction is open; some have cost the group one
}

// groupFate is what has become of a group's transaction.
type groupFate uint8

const (
	groupOpen    groupFate = iota
	groupLost              // rolled back, or to be: nothing of it is kept
	groupUnknown           // perhaps committed
	groupBroken            // its connection is lost, and nothing was committed
)

// serve does a call of the writer's when it is its turn, and those that wait after it in
// the same transaction.
func (w *writer) serve(l *lane, first *call) {
	l.takeTurn()
	defer l.leaveTurn()
	if !first.groups || first.plain && w.last <= 1 && w.empty() {
		l.run(first)
		return
	}
	g := &commitGroup{w: w, l: l}
	l.group = g
	returned := false
	defer func() {
		l.group = nil
		if !returned { // a function has ended the thread, and the transaction with it
			g.giveBack(true)
		}
	}()
	g.run(first)
	returned = true
	w.last = g.ran
}

// ranAlone counts a call that was a group of its own, and has committed by itself, and
// leaves the turn.
func (w *writer) ranAlone(l *lane, c *call, begun time.Time, err error) {
	if c.groups && err == nil {
		w.committed(1, time.Since(begun))
	}
	l.leaveTurn()
}

// takeTurn waits for the writer's turn. Until a call begins it can be withdrawn.
func (l *lane) takeTurn() {
	if l.turn == nil {
		l.turn = l.pc.Turns().Ask(l.pc)
		<-l.turn.Granted
	}
}

// leaveTurn ends the writer's turn, if it is that. It comes before callers are told what
// has become of their calls: a callback may wait for another write.
func (l *lane) leaveTurn() {
	if l.turn != nil {
		l.pc.Turns().Leave(l.turn)
		l.turn = nil
	}
}

// run runs a group to its end.
func (g *commitGroup) run(first *call) {
	begun := time.Now()
	for c := first; c != nil; c = g.next(begun) {
		if c.begin(g.l) {
			g.w.ran.Add(1)
			g.ran++
			g.do(c)
		}
	}
	for runs := 1; !g.settle(); runs++ {
		again := g.calls()
		g.count(len(again))
		g.reset()
		if runs == mostRuns || g.single {
			g.alone = append(again, g.alone...)
			break
		}
		g.todo = again
		g.runTodo()
	}
	g.runAlone()
	g.tell()
}

// next takes the next call out of the queue, unless the group has ended, or it is
// another's turn. For a moment it waits for those of the last group.
func (g *commitGroup) next(begun time.Time) *call {
	for left, yields := min(g.w.took/waitPart, mostWait), 0; ; yields++ {
		c, empty := g.take(begun)
		if !empty || g.ran >= g.w.last || left < leastWait || yields == mostYields || g.l.pc.Turns().Before(now()) {
			return c
		}
		start := now()
		runtime.Gosched()
		left -= time.Since(start)
	}
}

// take is next without the wait. It reports whether no call waits.
func (g *commitGroup) take(begun time.Time) (c *call, empty bool) {
	if g.fate != groupOpen || len(g.done) >= mostMembers || time.Since(begun) > longestGroup {
		return nil, false
	}
	q := g.w.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	c = q.calls.first
	if c == nil || !c.groups || g.l.pc.Turns().Before(c.since) {
		return nil, c == nil
	}
	q.take(c)
	g.l.current.Store(c) // under mu, so that stopAll misses no call
	return c, false
}

// calls returns those that the group has still to do.
func (g *commitGroup) calls() []*call {
	var cs []*call
	for _, m := range g.done {
		cs = append(cs, m.c)
	}
	return append(cs, g.todo...)
}

// reset rolls back what is open, and makes the group ready for another run.
func (g *commitGroup) reset() {
	if g.tx != nil {
		g.l.pc.Run(background, new(pinned.Call), nil, pinned.Func(func(context.Context) { g.l.pc.Rollback(g.tx) }))
	}
	g.tx, g.fate, g.why, g.done, g.todo = nil, groupOpen, nil, nil, nil
}

func (g *commitGroup) runTodo() {
	for g.fate == groupOpen && len(g.todo) > 0 {
		c := g.todo[0]
		g.todo = g.todo[1:]
		if c.resume(g.l) {
			g.do(c)
		}
	}
}

// runAlone runs calls each in a transaction of its own, and in a turn of its own if those
// before it were told.
func (g *commitGroup) runAlone() {
	g.single = true
	for len(g.alone) > 0 {
		g.l.takeTurn()
		c := g.alone[0]
		g.alone = g.alone[1:]
		if !c.resume(g.l) {
			continue
		}
		g.do(c)
		if g.settle() {
			continue
		}
		for _, m := range g.done { // its COMMIT has failed
			m.deny(g.why)
		}
		g.over = append(g.over, g.done...)
		g.reset()
		g.tell()
	}
}

// do runs a call that has begun.
func (g *commitGroup) do(c *call) {
	m := &member{g: g, c: c}
	g.l.current.Store(c)
	err := g.l.pc.Run(c.ctx, &c.pinned, c.trace, m)
	g.l.current.Store(nil)
	if m.ran {
		err = m.err
	}
	m.err = err
	switch {
	case !m.ran: // withdrawn in the last moment
		m.end(true)
	case m.stale && c.again(g.l.lease.reused):
		g.w.queue.giveBack([]*call{c})
	case g.fate == groupUnknown:
		m.deny(g.unknown())
		g.over = append(g.over, m)
	case m.suspect:
		g.alone = append(g.alone, c)
		g.count(1)
	case err != nil && !m.keeps && c.stopped() != nil: // somebody waits for just that
		m.end(true)
	case g.tx == nil, g.fate != groupOpen:
		g.over = append(g.over, m)
	default:
		g.done = append(g.done, m)
	}
}
