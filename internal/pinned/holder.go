package pinned

// A Holder is what one face has open on a connection: rows, statements and a
// transaction. It is the thread's. It does not refer to the face, so an unused face
// can be collected.
type Holder struct {
	link
	c    *Conn
	open list
}

// NewHolder returns a holder on the connection. The thread's.
func (c *Conn) NewHolder() *Holder {
	h := &Holder{c: c}
	h.self = h
	c.holders.add(&h.link)
	return h
}

// Close closes the holder's rows and statements, and rolls back its transaction. It
// reports whether there was one.
func (h *Holder) Close() (tx bool) {
	h.open.closeAll()
	if t := h.c.tx; t != nil && t.holder == h {
		tx = true
		h.c.Rollback(t)
	}
	h.c.holders.remove(&h.link)
	return tx
}

func (h *Holder) close() { h.Close() }

// CloseOpen closes the rows and statements only.
func (h *Holder) CloseOpen() { h.open.closeAll() }

// Reading reports whether rows are open whose end has not been read. The thread's.
func (c *Conn) Reading() bool {
	for e := c.holders.first; e != nil; e = e.next {
		for o := e.self.(*Holder).open.first; o != nil; o = o.next {
			if r, ok := o.self.(*Rows); ok && !r.gone && (!r.ended || r.HasNextResultSet()) {
				return true
			}
		}
	}
	return false
}

func (c *Conn) closeHolders() { c.holders.closeAll() }

// link is an element of a list: something that can be closed.
type link struct {
	prev, next *link
	self       interface{ close() } // the element that has the link
}

// list is a list of what is open. Its zero value is empty.
type list struct{ first *link }

func (l *list) add(e *link) {
	e.next = l.first
	if e.next != nil {
		e.next.prev = e
	}
	l.first = e
}

// remove takes e out; it does nothing if e is not in the list.
func (l *list) remove(e *link) {
	switch {
	case e.prev != nil:
		e.prev.next = e.next
	case l.first == e:
		l.first = e.next
	default:
		return
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
}

// closeAll closes all elements, the latest first. It does not touch an element that is
// closed: rows may be in use again.
func (l *list) closeAll() {
	for l.first != nil {
		e := l.first
		l.remove(e)
		e.self.close()
	}
}
