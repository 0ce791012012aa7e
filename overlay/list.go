package overlay

// callList is a first-in, first-out list of calls that wait. Its queue's mutex
// guards it.
type callList struct {
	first, last *call
	length      int
	free        int // of these, those that take no place
}

// link is a call's place in a callList.
type link struct {
	prev, next *call
	listed     bool
}

func (l *callList) push(c *call) {
	c.listed, c.prev, c.next = true, l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
	l.count(c, 1)
}

// pushFront gives a call back that was not begun after all.
func (l *callList) pushFront(c *call) {
	c.listed, c.prev, c.next = true, nil, l.first
	if l.first == nil {
		l.last = c
	} else {
		l.first.prev = c
	}
	l.first = c
	l.count(c, 1)
}

func (l *callList) remove(c *call) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.listed, c.prev, c.next = false, nil, nil
	l.count(c, -1)
}

func (l *callList) count(c *call, n int) {
	l.length += n
	if c.roomy() {
		l.free += n
	}
}
