package pinned

import "context"

// What a user of the connection may leave open for the next one.

// RollBackLeft is RollBackOpen for other goroutines, between two calls. It returns the
// text that had begun the transaction, if one had. It costs a hop only if a transaction is
// open, or was rolled back by the database and not ended. If the thread has not done it
// within Grace, because it is busy with a call that was left or the rollback takes that
// long, the connection is no longer valid.
func (c *Conn) RollBackLeft() (text string, was bool) {
	if !c.unclean.Load() || !c.Valid() {
		return "", false
	}
	was = c.InTxNow()
	ctx, cancel := context.WithTimeout(context.Background(), Grace)
	defer cancel()
	type left struct {
		text string
		was  bool
	}
	rolledBack := make(chan left, 1)
	Hop(ctx, c, new(Call), Func(func(context.Context) {
		var l left
		if c.tx != nil {
			l.text = c.tx.text
		}
		l.was = c.RollBackOpen()
		rolledBack <- l
	}))
	select {
	case l := <-rolledBack:
		return l.text, l.was
	default:
		c.GiveUp()
	}
	return "", was
}

// GiveUp keeps a connection from being used again that its user leaves with a call that
// does not end. One that holds a database in memory is kept. It may be called from any
// goroutine.
func (c *Conn) GiveUp() {
	if !c.memory {
		c.valid.Store(false)
	}
}

// RollBackOpen rolls back whatever transaction is open, and reports whether there was
// one. If that fails, the connection is dead. The thread's.
func (c *Conn) RollBackOpen() (was bool) {
	if c.inner == nil || c.dead {
		return c.tx != nil
	}
	if t := c.tx; t != nil {
		was = !t.byText() || t.fate == open
		c.Rollback(t)
	}
	if c.status == TxOpen || c.status == TxLost {
		was = true
		c.Firmly(c.endByText)
	}
	return was
}
