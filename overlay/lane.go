package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/thread"
)

// A lane is a pinned connection and its thread, doing calls for a queue. It is in
// one of these states, which the queue's mutex guards:
//
//	idle     in the queue's list       -> running (submit, rouse), ended (given back)
//	running  calls until none is left  -> idle, ended (given back, or the connection is lost)
//	ended    no longer in the queue's lists
//
// Fields without a note are the thread's.
type lane struct {
	q        *queue         // set once
	pc       *pinned.Conn   // set once
	w        *thread.Worker // set once
	lease    *lease         // set once; nil: a Conn's
	tx       *txState       // set once: of a Conn; nil: an Engine's
	writer   *writer        // set once: whose connection it is; nil: not a writer's
	readOnly bool           // set once: its connection was made query_only

	since   time.Time              // the queue's, under its mutex: idle since
	current atomic.Pointer[call]   // what it runs, the innermost; anybody may look
	commits atomic.Pointer[commit] // the commit of a group that is under way; anybody may look
	lost    atomic.Bool            // a Conn's connection is lost; anybody may look

	holder   *pinned.Holder
	spare    *pinned.Rows // closed: for the next query whose rows are read at once; nil: none
	streams  []*stream    // that are open
	group    *commitGroup // whose members run; nil: none
	turn     *pinned.Turn // to write, of a writer's; nil: it is not its turn
	used     bool         // it has done a call
	answered bool         // the call that runs has got an answer from the database
	retry    *call        // the call that hit the dead connection; it will be made again
	done     *call        // the call that it has done last, until the queue has counted it
	function *sql.Conn    // of the function that runs; nil: none runs
	first    *call        // the call that the loop begins with; whoever starts the lane sets it
	loopFn   func()
	goneFn   func(error)
}

// newLane makes a lane of a connection. The caller adds it to the queue.
func newLane(q *queue, pc *pinned.Conn) *lane {
	l := &lane{q: q, pc: pc, w: pc.Worker()}
	l.loopFn, l.goneFn = l.loop, l.gone
	return l
}

// start begins an idle lane's loop with a call. The lane is the caller's until then.
func (l *lane) start(c *call) {
	l.first = c
	if err := l.w.SubmitAnyway(l.loopFn, l.goneFn); err != nil {
		l.first = nil
		l.current.Store(nil)
		if l.lease == nil { // only this lane could have run it
			l.q.lost(l, nil)
			c.refuse(err)
			return
		}
		l.q.lost(l, c)
		l.lease.drop()
	}
}

// loop does calls until none waits, or the connection goes back.
func (l *lane) loop() {
	c := l.first
	l.first = nil
	for c != nil {
		if l.writer == nil {
			l.run(c)
		} else {
			l.writer.serve(l, c)
		}
		if l.lease == nil {
			if l.pc.Queued() > 0 { // blocking calls get their turn
				c = l.q.next(l, false)
				if c != nil && c.kind == ending { // they were made after it
					continue
				}
				if c != nil {
					l.start(c)
				}
				return
			}
			c = l.q.next(l, false)
			continue
		}
		if l.pc.Dead() || !l.pc.Valid() {
			l.close()
			l.q.lost(l, l.retry)
			go l.lease.drop()
			return
		}
		leaving := l.lease.due()
		if leaving {
			l.close()
		}
		c = l.q.next(l, leaving)
		if leaving {
			go l.lease.giveBack()
		}
	}
}

// run does one call, unless it was withdrawn.
func (l *lane) run(c *call) {
	if !c.begin(l) {
		l.current.CompareAndSwap(c, nil)
		if c.kind == ending {
			l.undo(c)
		}
		return
	}
	l.q.ran.Add(1)
	if err := l.refuses(c); err != nil {
		l.current.CompareAndSwap(c, nil)
		c.release()
		c.end(c.unmade(err), false)
		return
	}
	d := doing{l: l, c: c}
	if c.outer = l.current.Swap(c); c.outer == c { // the queue has put it there, unless the call is nested
		c.outer = nil
	}
	nested := c.outer != nil
	var begun time.Time
	if l.writer != nil {
		begun = now()
	}
	err := l.pc.Run(c.ctx, &c.pinned, c.trace, &d)
	l.current.Store(c.outer) // not after a Goexit: gone looks for the call
	c.outer = nil
	switch {
	case err == nil:
		err = d.err
	case isBad(err): // what was left over could not be settled
		d.stale = true
		l.pc.Kill()
		fallthrough
	default: // it was not begun
		err = c.unmade(err)
	}
	if l.tx != nil && l.pc.Dead() {
		l.lost.Store(true)
	}
	if l.readOnly && pinned.AnyIn(d.err, refusedWrite) {
		if l.pc.Turns().Holds(c.ctx) { // it would wait for what it is made in
			err = ErrWouldDeadlock
		} else if l.lease.from.writer.passOn(c, l.q) {
			return
		} else if cause := c.stopped(); cause != nil {
			err = cause
		}
	}
	if d.stale && l.lease != nil && c.again(l.lease.reused) {
		l.q.ran.Add(-1)
		l.retry = c
		return
	}
	if !nested {
		l.done, c.failed = c, err != nil
	}
	if l.writer != nil {
		l.writer.ranAlone(l, c, begun, err)
	}
	if !c.end(err, false) {
		l.undo(c)
	}
}

// undo takes back what a call has done, or left undone, that nobody waits for.
func (l *lane) undo(c *call) {
	if c.undo != nil {
		l.pc.RunClosing(background, new(pinned.Call), nil, pinned.Func(func(context.Context) { c.undo(l) }))
	}
}

// refuses returns why a call of a Conn is not made: the connection is lost, or the
// transaction of its scope is over.
func (l *lane) refuses(c *call) error {
	switch {
	case l.tx == nil || c.tidy || c.kind == ending:
	case l.pc.Dead():
		l.lost.Store(true) // a call of the guest may have lost it
		return driver.ErrBadConn
	case c.scope != nil && c.scope.level.over.Load():
		return sql.ErrTxDone
	}
	return nil
}

// runNested does a call that a function or callback on the thread makes.
func (l *lane) runNested(c *call) {
	c.since = now()
	l.run(c)
}

// doing is the work of one call on the thread.
type doing struct {
	l     *lane
	c     *call
	err   error
	stale bool // the connection was dead before it did anything
}

// Do does what the call is for.
func (d *doing) Do(inner context.Context) {
	l, c := d.l, d.c
	defer c.release()
	if l.lease != nil && l.used {
		if d.err = l.pc.Reset(inner); d.err != nil {
			d.stale = isBad(d.err)
			return
		}
	}
	l.used, l.answered = true, false
	switch {
	case c.kind == function:
		inner = c.inner
		defer l.pc.Note(l.pc.Note(true))
	case c.given != nil:
		inner = c.given
	}
	d.err = guard(func() error { return c.work.do(inner, l) })
	d.stale = isBad(d.err) && !l.answered && !l.pc.Lost(d.err) && (c.kind == read || c.kind == write || c.repeatable)
	if c.kind == write && isBad(d.err) && l.answered { // it had begun to return rows
		d.err = fmt.Errorf("%w: %v", ErrOutcomeUnknown, d.err)
	}
	d.err = c.verdict(l, d.err)
	if l.lease != nil {
		d.tidy()
	}
}

// tidy leaves an Engine's connection as its next caller wants it.
func (d *doing) tidy() {
	l := d.l
	if l.holder != nil {
		l.holder.CloseOpen()
	}
	was := l.pc.RollBackOpen()
	if was && (d.err == nil || d.c.stopped() == nil && !l.pc.Dead()) {
		d.err = leftOpen(d.err)
	}
}

// held returns what the lane has open.
func (l *lane) held() *pinned.Holder {
	if l.holder == nil {
		l.holder = l.pc.NewHolder()
	}
	return l.holder
}

// close closes what the lane has open.
func (l *lane) close() {
	l.closeStreams()
	if l.holder != nil {
		l.holder.Close()
		l.holder = nil
	}
	l.writable()
}

// gone is called on the thread when the loop has ended, in whatever way. Whatever the
// callbacks of its calls do, the lane is lost after that.
func (l *lane) gone(err error) {
	if err == nil {
		return
	}
	if l.tx != nil { // before anybody is told, who might close the Conn and give the connection back
		l.tx.gone()
	}
	defer func() {
		l.q.lost(l, nil)
		if l.lease != nil {
			go l.lease.drop()
		}
	}()
	first := l.first // the thread had gone before it could begin
	if first != nil {
		l.current.CompareAndSwap(first, nil)
	}
	var calls []*call
	for c := l.current.Swap(nil); c != nil; c = c.outer {
		calls = append(calls, c)
	}
	defer each(calls, func(c *call) { c.end(c.unmade(err), false) })
	if first != nil {
		first.refuse(err)
	}
}
