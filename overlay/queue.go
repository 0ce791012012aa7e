package overlay

import (
	"time"
)

// What follows keeps the list of the calls that wait. It needs the pool's mu.

func (p *pool) push(c *call) {
	c.since = time.Now()
	c.queued, c.prev, c.next = true, p.last, nil
	if p.last == nil {
		p.first = c
	} else {
		p.last.next = c
	}
	p.last = c
	p.length++
	if c.internal() {
		p.inner++
	}
}

// pushFront gives a call back that was not begun after all.
func (p *pool) pushFront(c *call) {
	c.since = time.Now()
	c.queued, c.prev, c.next = true, nil, p.first
	if p.first == nil {
		p.last = c
	} else {
		p.first.prev = c
	}
	p.first = c
	p.length++
	if c.internal() {
		p.inner++
	}
}

func (p *pool) unlink(c *call) {
	if c.prev == nil {
		p.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		p.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.queued, c.prev, c.next = false, nil, nil
	p.length--
	if c.internal() {
		p.inner--
	}
}

// take takes out a call for a lane.
func (p *pool) take(c *call) {
	p.unlink(c)
	p.stats.Waiting += time.Since(c.since)
}
