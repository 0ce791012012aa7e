package pinned

import (
	"context"
	"database/sql/driver"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// Rows are rows of the inner driver, with the statement that was made for them
// if the driver needs one. They are the thread's.
//
// Whoever reads them for somebody else keeps them apart from what that somebody
// holds: as long as they are open their connection refers to them.
type Rows struct {
	link

	// Unwanted is set when no more of the rows are needed, by any goroutine.
	Unwanted atomic.Bool

	holder  *Holder
	inner   driver.Rows // nil: not opened
	stmt    driver.Stmt // to be closed with inner; may be nil
	nested  []*Rows     // rows that were values of these, and end with them
	query   string      // empty for rows that were values of others
	gone    bool        // inner is closed
	ended   bool        // the last row of the result set was read
	writes  bool        // they are counted in the connection's writing
	closing error       // what closing inner returned
	done    atomic.Bool // closing is set; anybody may look
}

// Query opens rows of the holder's.
func (c *Conn) Query(inner context.Context, h *Holder, q *Request, r *Rows) (skipped bool, err error) {
	if err := c.mayRun(q); err != nil {
		return false, err
	}
	if err := c.mayWrite(inner, q.Query); err != nil {
		return false, err
	}
	c.executing(q)
	rs, stmt, skipped, err := q.rows(inner, c.inner)
	c.observed(q, err)
	if err != nil {
		return skipped, err
	}
	r.holder, r.inner, r.stmt, r.self = h, rs, stmt, r
	r.query = q.Query
	if c.turn != nil && sqltext.MayWrite(q.Query) {
		r.writes = true
		c.writing++
	}
	h.open.add(&r.link)
	return false, nil
}

// Nest takes rows that are a value of a row of r.
func (r *Rows) Nest(n *Rows, inner driver.Rows) {
	n.holder, n.inner, n.self = r.holder, inner, n
	r.nested = append(r.nested, n)
}

// mayRun returns why a request is refused; nil if it is not.
func (c *Conn) mayRun(q *Request) error {
	if c.inner == nil {
		return driver.ErrBadConn
	}
	if q.Stmt != nil && q.Stmt.inner == nil {
		return errClosedStmt
	}
	if c.busy != nil {
		return c.busy
	}
	if c.tx != nil && c.tx.fate != open && c.tx.byText() {
		return c.refusedText(q.Query)
	}
	if c.tx.guards(q.Query) {
		return ErrControl
	}
	if c.tx != nil && c.tx.ctx != nil && c.tx.ctx.Err() != nil {
		return c.tx.ctx.Err() // it would be rolled back with it
	}
	return c.Refused()
}

func (c *Conn) executing(q *Request) {
	if c.noting {
		c.noted.Lock()
		c.noted.text = q.Query
		c.noted.Unlock()
	}
	if c.watcher != nil {
		c.watcher.Executing(q.Query)
	}
}

// observed is Observe after a request.
func (c *Conn) observed(q *Request, err error) {
	before := c.tx
	c.observeText(q.Query, err)
	switch {
	case err == nil:
		c.took(q.Query)
	case sqltext.Several(q.Query, c.dialect):
		c.took(q.Query) // its first statements may have succeeded
		if c.current != nil {
			c.current.several = true
		}
	}
	if t := c.tx; t != nil && t != before && t.byText() {
		t.text = q.Query
	}
	if c.watcher != nil {
		c.watcher.Executed(q.Query)
	}
}

// Inner returns the inner rows.
func (r *Rows) Inner() driver.Rows { return r.inner }

// SetClosed makes rows that were not opened like inner's, which are closed.
func (r *Rows) SetClosed(inner driver.Rows) {
	r.inner, r.gone = inner, true
	r.done.Store(true)
}

// Gone reports whether the rows are closed. Then Close returns what closing them
// returned. It may be called from any goroutine: a thread that ends closes what is
// open.
func (r *Rows) Gone() bool { return r.done.Load() }

// Next reads a row.
func (r *Rows) Next(dest []driver.Value) error {
	if r.gone {
		return errOpenRows
	}
	err := r.inner.Next(dest)
	switch err {
	case nil:
	case io.EOF:
		r.ended = true
		r.written()
		r.holder.c.Observe(nil)
	default:
		r.failed(err)
	}
	return err
}

// failed is Observe for an error that the rows have met.
func (r *Rows) failed(err error) {
	c := r.holder.c
	if c.current != nil && sqltext.Several(r.query, c.dialect) {
		c.current.several = true
	}
	c.observeText(r.query, err)
}

// HasNextResultSet reports whether another result set follows.
func (r *Rows) HasNextResultSet() bool {
	n, ok := r.inner.(driver.RowsNextResultSet)
	return ok && !r.gone && n.HasNextResultSet()
}

// NextResultSet goes to the next result set.
func (r *Rows) NextResultSet() error {
	n, ok := r.inner.(driver.RowsNextResultSet)
	if !ok || r.gone {
		return io.EOF
	}
	r.ended = false
	err := n.NextResultSet()
	if err != io.EOF {
		r.failed(err)
	}
	return err
}

// Close closes the rows. Closing again returns the same.
func (r *Rows) Close() error {
	if r.gone || r.inner == nil {
		return r.closing
	}
	r.gone = true
	defer r.done.Store(true) // also if closing panics or ends the goroutine
	defer r.written()
	r.holder.open.remove(&r.link)
	if c := r.holder.c; len(c.late) > 0 { // once done, they may be another query's
		c.late = slices.DeleteFunc(c.late, func(late *Rows) bool { return late == r })
	}
	r.closing = r.inner.Close()
	for _, n := range r.nested {
		n.Close()
	}
	if r.stmt != nil {
		r.stmt.Close()
	}
	if r.closing != nil {
		r.failed(r.closing)
	} else {
		r.holder.c.Observe(nil)
	}
	return r.closing
}

func (r *Rows) close() { r.Close() }

// written is called when the rows' statement is over.
func (r *Rows) written() {
	if r.writes {
		r.writes = false
		r.holder.c.writing--
	}
}

// CloseSoon is Close for drivers that read the rest of the rows to close them. When
// that has taken some time, the database is asked to stop sending rows. The call that
// CloseSoon is made in is not stopped.
func (r *Rows) CloseSoon(after time.Duration) (err error) {
	c, cl := r.holder.c, new(Call)
	stopped := false
	c.RunClosing(context.Background(), cl, nil, Func(func(context.Context) {
		timer := time.AfterFunc(after, func() { cl.StopBegun(context.Background(), c, context.Canceled) })
		err = r.Close()
		stopped = !timer.Stop()
	}))
	if !stopped {
		return err
	}
	if c.settle() != nil {
		c.Kill()
	}
	return nil
}

// CloseLate closes rows whose end was read before a later call, once they are
// Unwanted. Nobody waits for what they hold.
func (r *Rows) CloseLate() { r.holder.c.late = append(r.holder.c.late, r) }

func (c *Conn) closeLate() {
	for i := 0; i < len(c.late); {
		r := c.late[i]
		if !r.Unwanted.Load() {
			i++
			continue
		}
		c.late = slices.Delete(c.late, i, i+1)
		r.Close()
	}
}
