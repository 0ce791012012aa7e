package overlay

import (
	"context"
	"errors"
	"strings"
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
)

// A commitGroup is calls in one transaction. Each runs under a savepoint of its own, and
// none is over before the COMMIT, so that each hears what is in the file. It is the
// writer's thread's. A member is in done when it has run; one that has cost the group its
// transaction is not.
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
	failed []*member // have cost the group a transaction; they hear of it at the end
}

// A commit is one of a group, under way.
type commit struct {
	since   time.Time
	members int
}

// groupFate is what has become of a group's transaction.
type groupFate uint8

const (
	groupOpen    groupFate = iota
	groupLost              // rolled back, or to be: nothing of it is kept
	groupUnknown           // perhaps committed
	groupBroken            // its connection is lost, and nothing was committed
)

// member is one run of a call in a group.
type member struct {
	g       *commitGroup
	c       *call
	err     error
	ran     bool
	keeps   bool // what it has done is kept though it has failed
	suspect bool // it has left a foreign key unresolved, and was undone
	secured bool // it has a savepoint
	stale   bool // the connection was dead before anything was done
}

const (
	savepointMember = "SAVEPOINT sqlaio_member"
	releaseMember   = "RELEASE SAVEPOINT sqlaio_member"
	undoMember      = "ROLLBACK TO SAVEPOINT sqlaio_member"
)

// serve does a call of the writer's when it is its turn, and those that wait after it in
// the same transaction.
func (w *writer) serve(l *lane, first *call) {
	t := l.pc.Turns().Ask(l.pc)
	<-t.Granted
	defer l.pc.Turns().Leave(t)
	if !first.groups || first.plain && w.alone && w.empty() {
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
	w.alone = g.ran <= 1
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
	for _, m := range g.failed {
		m.end(m.err)
	}
	g.failed = nil
}

// next takes the next call out of the queue, unless the group has ended, or it is
// another's turn.
func (g *commitGroup) next(begun time.Time) *call {
	if g.fate != groupOpen || len(g.done) >= mostMembers || time.Since(begun) > longestGroup {
		return nil
	}
	q := g.w.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.calls.first
	if c == nil || !c.groups || g.l.pc.Turns().Before(c.since) {
		return nil
	}
	q.take(c)
	g.l.current.Store(c) // under mu, so that stopAll misses no call
	return c
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

// runAlone runs calls each in a transaction of its own.
func (g *commitGroup) runAlone() {
	g.single = true
	for len(g.alone) > 0 {
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
			m.end(g.why)
		}
		g.reset()
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
		m.end(err)
	case m.stale && c.again(g.l.lease.reused):
		g.w.queue.giveBack([]*call{c})
	case g.fate == groupUnknown:
		m.end(g.unknown())
	case m.suspect:
		g.alone = append(g.alone, c)
		g.count(1)
	case err != nil && !m.keeps && c.stopped() != nil, g.tx == nil:
		m.end(err)
	case g.fate != groupOpen:
		g.failed = append(g.failed, m)
	default:
		g.done = append(g.done, m)
	}
}

// Do runs the call under a savepoint, on the thread.
func (m *member) Do(inner context.Context) {
	g, l, c := m.g, m.g.l, m.c
	m.ran = true
	defer c.release()
	if g.tx == nil {
		if m.err = g.begin(inner, c); m.err != nil {
			if m.stale = isBad(m.err); m.stale {
				g.fate = groupBroken
				l.pc.Kill()
			}
			m.err = c.verdict(l, m.err)
			return
		}
	}
	if m.err = m.secure(); m.err != nil {
		g.examine(m, m.err)
		return
	}
	g.keep = false
	if c.kind == function {
		inner = &c.inner
		defer l.pc.Note(l.pc.Note(true))
	}
	err := guard(func() error { return c.work.do(inner, l) })
	if l.holder != nil {
		l.holder.CloseOpen()
	}
	m.err, m.keeps = c.verdict(l, err), g.keep
	g.examine(m, err)
}

func (g *commitGroup) begin(inner context.Context, c *call) (err error) {
	l := g.l
	if l.used {
		if err := l.pc.Reset(inner); err != nil {
			return err
		}
	}
	l.used = true
	g.tx, err = l.pc.BeginImmediate(inner, l.held(), true)
	return err
}

// examine ends a member's savepoint, and finds out what has become of the transaction.
func (g *commitGroup) examine(m *member, err error) {
	pc := g.l.pc
	switch {
	case pc.Dead():
		g.lose(groupBroken, err)
	case !pc.InTx() || pc.Refused() != nil:
		if why := pc.LostTo(); why != nil {
			g.lose(groupLost, why)
		} else {
			g.lose(groupUnknown, ErrTxEnded)
		}
		if m.err == nil {
			m.err = pc.Refused()
		}
	case err == nil || g.keep:
		if pc.Unresolved() && !g.single {
			m.suspect = true
			g.undo(m)
			return
		}
		if !m.secured {
			return
		}
		pc.Firmly(func() { err = g.l.statement(background, releaseMember) })
		if err != nil {
			m.err = err
			g.doubt(err)
		}
	default:
		g.undo(m)
	}
}

// secure makes a savepoint. A single statement needs none: what SQLite keeps of one that
// fails, for the sake of OR FAIL, it would keep outside of a group too.
func (m *member) secure() error {
	if m.c.plain {
		return nil
	}
	m.secured = true
	return m.g.l.statement(background, savepointMember)
}

// undo takes back what the member has done. Without a savepoint SQLite has done that, or
// it takes the whole transaction.
func (g *commitGroup) undo(m *member) {
	if !m.secured {
		if m.suspect {
			g.lose(groupLost, m.err)
		}
		return
	}
	g.l.pc.Firmly(func() {
		err := g.l.statement(background, undoMember)
		if err == nil {
			err = g.l.statement(background, releaseMember)
		}
		if err != nil {
			g.doubt(err)
		}
	})
}

// doubt is called when a savepoint cannot be ended. If it is not there, the transaction
// is not the one that the group has begun.
func (g *commitGroup) doubt(err error) {
	if strings.Contains(err.Error(), "no such savepoint") {
		g.lose(groupUnknown, err)
	} else {
		g.lose(groupLost, err)
	}
}

func (g *commitGroup) lose(fate groupFate, why error) { g.fate, g.why = fate, why }

func (g *commitGroup) unknown() error {
	if errors.Is(g.why, ErrOutcomeUnknown) {
		return g.why
	}
	return pinned.Unknown(g.why)
}

// settle commits, and ends the members that have run if it is known what has become of
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
				m.end(g.unknown())
			} else {
				m.end(m.err)
			}
		}
		g.alone = append(g.todo, g.alone...)
	default:
		for _, m := range g.done {
			m.end(m.err)
		}
	}
	g.reset()
	return true
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
		if m.err == nil || m.keeps || !m.secured {
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
		g.committed(took)
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
func (g *commitGroup) committed(took time.Duration) {
	s := &g.w.counted
	s.Lock()
	defer s.Unlock()
	s.Groups++
	s.Members += int64(len(g.done))
	s.Largest = max(s.Largest, len(g.done))
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
		switch {
		case c.again(byOther):
			back = append(back, c)
		case c.stopped() != nil:
			(&member{c: c}).end(c.stopped())
		default:
			(&member{c: c}).end(pinned.ErrLost)
		}
	}
	g.done, g.todo, g.alone = nil, nil, nil
	g.w.queue.giveBack(back)
	for _, m := range g.failed {
		m.end(m.err)
	}
	g.failed = nil
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

// end ends a member. With an error there is no value, unless it is a batch's that says
// what became of each statement.
func (m *member) end(err error) {
	if err != nil && err != m.err {
		m.c.work.(interface{ takeBack(why error) }).takeBack(err)
	}
	if m.ran {
		m.c.failed = err != nil
		m.c.count(now())
	}
	m.c.end(err)
}

// takeBack drops what a run has returned that was not kept. The results of a batch say so.
func (t *task[T]) takeBack(why error) {
	if results, ok := any(t.made).([]BatchResult); ok {
		takeBack(results, why, false)
		return
	}
	var zero T
	t.made = zero
}

// resume makes a call that has run in vain ready for another run. It ends one that is to
// stop.
func (c *call) resume(l *lane) bool {
	if c.phase.Load() != running {
		return false
	}
	if c.stopped() == nil {
		c.pinned.Reset()
		if c.kind == function {
			c.inner.restart(c.ctx, l.pc)
			c.pinned.SetAbort(c.inner.stop)
		}
	}
	if cause := c.stopped(); cause != nil { // it may have found the call over
		(&member{c: c}).end(cause)
		return false
	}
	return true
}

// options are those of a batch's call.
func (b *batch) options(describe string) callOptions {
	plain := b.opts == nil || !b.opts.ReadOnly && b.opts.Isolation == 0
	return callOptions{kind: function, repeatable: true, writes: true, groups: b.inTx && plain, describe: describe}
}

// member runs the statements as a member of a group, whose savepoint is their
// transaction.
func (b *batch) member(ctx context.Context, l *lane, requests []*request, exec execFunc) ([]BatchResult, error) {
	results, failed := b.each(ctx, l, requests, exec)
	if failed != nil && (!b.keepGoing || ctx.Err() != nil) {
		takeBack(results, failed, false)
		return results, failed
	}
	l.group.keep = true
	return results, failed
}
