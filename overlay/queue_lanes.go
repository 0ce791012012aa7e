package overlay

import (
	"time"
)

// How a queue gets its lanes, wakes them, and loses them.

// takeIdle takes the lane that was idle for the shortest time. It needs mu.
func (q *queue) takeIdle() *lane {
	l := q.idle[len(q.idle)-1]
	q.idle = q.idle[:len(q.idle)-1]
	q.hot.Store(l.w)
	return l
}

// arm has rouse called. It needs mu.
func (q *queue) arm(d time.Duration) {
	q.armed = true
	if q.timer == nil {
		q.timer = time.AfterFunc(d, q.rouse)
		return
	}
	q.timer.Reset(d)
}

// rouse gets another lane going if the oldest call has waited long enough.
func (q *queue) rouse() {
	q.mu.Lock()
	q.armed = false
	c := q.calls.first
	if c == nil {
		q.mu.Unlock()
		return
	}
	var l *lane
	open := false
	wait := wakeAfter - time.Since(c.since)
	if wait <= 0 {
		wait = wakeAfter
		switch {
		case len(q.idle) > 0:
			l = q.takeIdle()
			q.take(c)
			l.current.Store(c)
		default:
			open = q.opensMore()
		}
	}
	if q.calls.length > 0 && (len(q.idle) > 0 || len(q.lanes)+q.opening < q.most) {
		q.arm(wait)
	}
	q.mu.Unlock()
	if l != nil {
		l.start(c)
	}
	if open {
		q.open()
	}
}

// giveUpBy has cancel called when no call waits for a lane that is being opened.
// done takes it back.
func (q *queue) giveUpBy(cancel func()) (done func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.attempts == nil {
		q.attempts = make(map[int]func())
	}
	q.attempt++
	id := q.attempt
	q.attempts[id] = cancel
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.attempts, id)
	}
}

// opensMore reports whether to open another lane, and counts it. It needs mu.
func (q *queue) opensMore() bool {
	if q.open == nil || q.calls.length <= q.opening || len(q.lanes)+q.opening >= q.most {
		return false
	}
	q.opening++
	return true
}

// rest makes a lane idle. It needs mu.
func (q *queue) rest(l *lane) {
	q.idle = append(q.idle, l)
	l.since = now()
	if l.lease != nil {
		l.lease.from.watchIdle()
	}
	q.checkEmpty()
}

// add takes a new lane.
func (q *queue) add(l *lane) {
	q.mu.Lock()
	q.opening--
	q.lanes = append(q.lanes[:len(q.lanes):len(q.lanes)], l)
	c := q.calls.first
	if c == nil {
		q.rest(l)
	} else {
		q.take(c)
		l.current.Store(c)
		q.hot.Store(l.w)
		if q.calls.length > 0 && !q.armed && q.open != nil {
			q.arm(wakeAfter)
		}
	}
	q.mu.Unlock()
	if c != nil {
		l.start(c)
	}
}

// failed is called when a lane could not be opened: the call that has waited for
// the longest time gets the error, unless another lane will come for it or the
// attempt was given up, and another attempt is made for the rest.
func (q *queue) failed(err error, givenUp bool) {
	q.mu.Lock()
	q.opening--
	c := q.calls.first
	served := len(q.lanes) > q.blocked
	if c != nil && !served && !givenUp {
		q.calls.remove(c)
	} else {
		c = nil
	}
	open := (!served || givenUp) && q.opensMore() // a call may have come meanwhile
	q.checkEmpty()
	q.mu.Unlock()
	if open { // before callbacks, which may wait for other calls
		q.open()
	}
	if c != nil {
		c.refuse(err)
	}
}

// lost takes out a lane whose connection is gone, and gives back the call that it
// has not begun, if there is one. The calls of a Conn are refused: nobody is left
// to do them.
func (q *queue) lost(l *lane, c *call) {
	q.mu.Lock()
	q.drop(l)
	if c != nil {
		c.since = now()
		q.calls.pushFront(c)
	}
	l, c = nil, q.calls.first
	if c != nil && len(q.idle) > 0 {
		l = q.takeIdle()
		q.take(c)
		l.current.Store(c)
	}
	open := q.opensMore()
	var refused []*call
	if q.open == nil {
		for q.calls.first != nil {
			refused = append(refused, q.calls.first)
			q.calls.remove(q.calls.first)
		}
	}
	q.checkEmpty()
	q.mu.Unlock()
	if l != nil {
		l.start(c)
	}
	if open {
		q.open()
	}
	each(refused, func(c *call) { c.refuse(q.gone()) })
}

// drop removes a lane from the lists. It needs mu.
func (q *queue) drop(l *lane) {
	without := func(ls []*lane) []*lane {
		for i := range ls {
			if ls[i] == l {
				return append(ls[:i:i], ls[i+1:]...)
			}
		}
		return ls
	}
	q.lanes, q.idle = without(q.lanes), without(q.idle)
	q.hot.CompareAndSwap(l.w, nil)
}

// dropIdle removes the idle lanes that have been so for at least d, and returns
// them.
func (q *queue) dropIdle(d time.Duration) (dropped []*lane, left int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.idle {
		if d == 0 || time.Since(l.since) >= d {
			dropped = append(dropped, l)
		}
	}
	for _, l := range dropped {
		q.drop(l)
	}
	return dropped, len(q.idle)
}
