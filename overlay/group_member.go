package overlay

import (
	"context"
	"crypto/rand"
	"strings"
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

// savepoint is the texts that begin and end a writer's savepoints. No text of a member's
// can name them: SQLite takes the innermost one of a name.
type savepoint struct{ begin, release, undo string }

func newSavepoint() savepoint {
	name := "sqlaio_" + rand.Text()
	return savepoint{"SAVEPOINT " + name, "RELEASE SAVEPOINT " + name, "ROLLBACK TO SAVEPOINT " + name}
}

// Do runs the call, on the thread.
func (m *member) Do(inner context.Context) {
	g, l, c := m.g, m.g.l, m.c
	m.ran, g.keep = true, false
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
	if err := m.secure(); err != nil { // as when the member is stopped just now
		m.err = c.verdict(l, err)
		g.examine(m, err)
		return
	}
	if c.kind == function {
		inner = c.inner
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
		pc.Firmly(func() { err = g.l.statement(background, g.w.savepoint.release) })
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
	err := m.g.l.statement(background, m.g.w.savepoint.begin)
	m.secured = err == nil
	return err
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
		err := g.l.statement(background, g.w.savepoint.undo)
		if err == nil {
			err = g.l.statement(background, g.w.savepoint.release)
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

// deny has the member's caller hear why what it has done was not kept. There is no value
// then, unless it is a batch's that says what became of each statement.
func (m *member) deny(why error) {
	if why != m.err {
		m.c.work.(interface{ takeBack(why error) }).takeBack(why)
		m.err = why
	}
}

// end ends a member. If away says so, a goroutine of their own calls its callbacks: here
// they would wait for the transaction that is open.
func (m *member) end(away bool) {
	if m.ran {
		m.c.failed = m.err != nil
		m.c.count(now())
	}
	m.c.end(m.err, away)
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
			c.makeContext(l)
		}
	}
	if cause := c.stopped(); cause != nil { // it may have found the call over
		m := &member{c: c}
		m.deny(cause)
		m.end(true)
		return false
	}
	return true
}
