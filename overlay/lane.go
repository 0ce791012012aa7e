package overlay

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/threadpin"
)

// lane is a pooled connection and its thread, doing calls for a pool. Its
// fields are the thread's but for those that say otherwise.
type lane struct {
	sc *sql.Conn         // set once
	h  *driver.Handle    // set once
	w  *threadpin.Worker // set once

	reused  bool                 // set once: the connection came from those that the pool keeps
	home    *pool                // set once: where it belongs
	idle    int                  // home's, under its mu: for how many looks it has been idle
	current atomic.Pointer[call] // what it runs; anybody may look

	pool    *pool     // whose calls it does: home, or that of a Result which keeps it
	sources []*source // rows that are open
	dead    bool      // the connection is of no more use
	retry   *call     // the call that found that out, to be made again
	tx      txState
	first   *call // the call that begins the loop; whoever starts the lane sets it
	loopFn  func()
	goneFn  func(error)
}

// newLane makes a lane of a connection. The caller adds it to the pool.
func newLane(p *pool, sc *sql.Conn) (*lane, error) {
	h, err := driver.HandleOf(sc)
	if err != nil {
		return nil, err
	}
	l := &lane{sc: sc, h: h, w: h.Worker(), home: p, pool: p}
	l.loopFn, l.goneFn = l.loop, l.gone
	return l, nil
}

// start begins an idle lane's loop with a call. The lane is the caller's until then.
func (l *lane) start(c *call) {
	l.first = c
	if err := l.w.Submit(l.loopFn, l.goneFn); err != nil {
		l.first = nil
		l.current.Store(nil)
		if l.pool != l.home { // only this lane could have run it
			l.pool.lost(l, nil)
			c.refuse(err)
			c = nil
		}
		l.home.lost(l, c)
		go l.sc.Close()
	}
}

// loop does calls until none waits.
func (l *lane) loop() {
	c := l.first
	l.first = nil
	for c != nil {
		l.run(c)
		if l.broken() {
			return
		}
		c = l.pool.next(l)
	}
}

// run does one call, unless it was withdrawn.
func (l *lane) run(c *call) {
	ctx, ok := c.begin(l)
	if !ok {
		l.current.CompareAndSwap(c, nil)
		return
	}
	if l.dead && c.kind != firm { // a Conn's
		l.current.CompareAndSwap(c, nil)
		c.end(errBad)
		return
	}
	l.pool.ran.Add(1)
	if outer := l.current.Swap(c); outer != c { // the pool has put it there, unless the call is nested
		c.outer = outer
	}
	err := guard(func() error { return c.work.do(ctx, l) })
	l.current.Store(c.outer) // not after a Goexit: gone looks for the call
	c.outer = nil
	if isBad(err) {
		l.dead = true
	}
	l.observe(err)
	if isBad(err) {
		if l.mayRetry(c) && c.again(l.reused) {
			l.pool.ran.Add(-1)
			l.retry = c
			return
		}
	}
	c.end(err)
}

// mayRetry says whether a call that met a dead connection is made once more
// on another, as database/sql does: the driver has promised that it did nothing.
func (l *lane) mayRetry(c *call) bool {
	return l.home.grow != nil && l.pool == l.home && c.kind == statement
}

// broken ends an Engine's lane whose connection is of no more use. A Conn
// keeps its own, and gets the driver's error from it.
func (l *lane) broken() bool {
	if !l.dead || l.home.grow == nil {
		return false
	}
	if l.pool != l.home {
		l.pool.lost(l, nil)
	}
	l.home.lost(l, l.retry)
	go func() { // database/sql may hold the locks for this while it waits for the thread
		l.h.Drop()
		l.sc.Close()
	}()
	return true
}

// gone is called on the thread when the loop has ended, in whatever way.
func (l *lane) gone(err error) {
	if err == nil {
		return
	}
	if c := l.first; c != nil { // the thread had gone before it could begin
		l.current.CompareAndSwap(c, nil)
		c.refuse(err)
	}
	for c := l.current.Swap(nil); c != nil; c = c.outer {
		c.end(err)
	}
	if l.pool != l.home {
		l.pool.lost(l, nil)
	}
	l.home.lost(l, nil)
	go l.abandon()
}

// abandon gives the connection back after its loop has ended in a panic of a
// callback, or with the thread.
func (l *lane) abandon() {
	l.w.Run(background, func() { guard(func() error { l.cleanUp(); return nil }) })
	for _, v := range l.tx.levels {
		v.over.Store(true)
	}
	l.sc.Close()
}

// background is the context of what has to be done in any case.
var background = context.Background()
