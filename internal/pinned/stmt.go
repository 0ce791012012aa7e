package pinned

import (
	"context"
	"database/sql/driver"
)

// A Stmt is a prepared statement of the inner driver. It is the thread's.
type Stmt struct {
	link
	holder *Holder
	inner  driver.Stmt
}

// Prepare prepares a statement of the holder's.
func (c *Conn) Prepare(inner context.Context, h *Holder, query string, s *Stmt) error {
	if c.inner == nil {
		return driver.ErrBadConn
	}
	if c.busy != nil {
		return c.busy
	}
	q := Request{Query: query}
	c.executing(&q)
	st, err := prepare(inner, c.inner, query)
	c.Observe(err)
	if c.watcher != nil {
		c.watcher.Executed(query)
	}
	if err != nil {
		return err
	}
	s.holder, s.inner, s.self = h, st, s
	h.open.add(&s.link)
	return nil
}

// Close closes the statement. Closing again does nothing.
func (s *Stmt) Close() error {
	if s.inner == nil {
		return nil
	}
	inner := s.inner
	s.inner = nil
	s.holder.open.remove(&s.link)
	return inner.Close()
}

func (s *Stmt) close() { s.Close() }

// prepare prepares a statement. A driver without contexts is asked even if the
// context has ended. Then its statement is closed.
func prepare(ctx context.Context, c driver.Conn, query string) (driver.Stmt, error) {
	if p, ok := c.(driver.ConnPrepareContext); ok {
		return p.PrepareContext(ctx, query)
	}
	s, err := c.Prepare(query)
	if err == nil && ctx.Err() != nil {
		s.Close()
		return nil, ctx.Err()
	}
	return s, err
}
