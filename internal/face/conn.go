package face

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/warnings"
)

// conn is the face of a pinned connection that database/sql sees. Like every
// driver.Conn it serves one call at a time, which database/sql ensures with a
// lock. "The caller's" fields are for that call only.
//
// There are three kinds of face:
//
//	the pool's    closing it closes the connection            (New)
//	a guest       closing it closes only what it has opened   (NewGuest)
//	inline        a guest of a function on the thread: it makes no hops, and
//	              refuses calls made elsewhere                (NewInline)
type conn struct {
	pc      *pinned.Conn
	opts    *Options
	owns    bool
	inline  bool
	scope   context.Context // of an inline face: the function's; the thread's
	cleanup runtime.Cleanup

	holder *pinned.Holder // the thread's
	over   atomic.Bool    // of a guest: its host has ended it; set by the thread

	// reading is of a guest: the last fill of rows that may be stopped; set by the thread,
	// for the host.
	reading atomic.Pointer[pinned.Call]

	closed    bool         // the caller's
	leftCall  *pinned.Call // the caller's: the last call that was left; nil: none was
	returned  bool         // the caller's: the guest's sql.Conn was closed, and is not dropped
	tx        *tx          // the caller's: the transaction that is open
	execution *execution   // the caller's, and the thread's during an Exec
	spare     *rows        // the caller's: for the next query; nil: none

	spareInline *inlineQuery // the thread's: for the next query made there; nil: none

	// skip is the caller's: a statement that was prepared within a call has returned
	// ErrSkip. database/sql answers ErrSkip by preparing the statement itself. That
	// has been done already, so its attempt gets ErrSkip again, and the application
	// gets it as from the bare driver.
	skip bool
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

var errOffThread = errors.New("sqlaio: the function's sql.Conn can be used in its own goroutine alone")

// New returns the pool's face of a connection that was just opened. It has
// ResetSession, which may cost a hop, only if the inner connection has. It has IsValid if
// the inner connection has, or if it has no ResetSession: by one of them the pool must
// learn that a connection is to be dropped.
func New(pc *pinned.Conn, opts *Options) driver.Conn {
	c := &conn{pc: pc, opts: opts, owns: true}
	c.cleanup = runtime.AddCleanup(c, (*pinned.Conn).Quit, pc)
	switch {
	case pc.Resets() && pc.Validates():
		return struct {
			*conn
			resetter
			validator
		}{c, resetter{c}, validator{c}}
	case pc.Resets():
		return struct {
			*conn
			resetter
		}{c, resetter{c}}
	}
	return struct {
		*conn
		validator
	}{c, validator{c}}
}

// Of returns the pinned connection below a driver.Conn of New; ok tells whether
// it is one.
func Of(dc any) (pc *pinned.Conn, ok bool) {
	c, ok := dc.(interface{ self() *conn })
	if !ok {
		return nil, false
	}
	return c.self().pc, true
}

// OfConn is Of for the connection of a pool.
func OfConn(sc *sql.Conn) (pc *pinned.Conn, ok bool) {
	err := sc.Raw(func(dc any) error {
		pc, ok = Of(dc)
		return nil
	})
	return pc, ok && err == nil
}

// self finds the conn in each of New's types.
func (c *conn) self() *conn { return c }

// held returns the holder of what the face has open. It runs on the thread.
func (c *conn) held() *pinned.Holder {
	if c.holder == nil {
		c.holder = c.pc.NewHolder()
	}
	return c.holder
}

// scoped reports whether a context ends together with that of the function that uses
// the face. The function is stopped then, so nobody has to watch the context.
func (c *conn) scoped(ctx context.Context) bool {
	return c.scope != nil && (ctx == c.scope || ctx.Done() == c.scope.Done())
}

// left lets go of what the thread may still use after a call was left.
func (c *conn) left() { c.execution = nil }

type resetter struct{ c *conn }

// ResetSession costs a hop of its own, unless the adapter knows that there is nothing to do:
// its answer decides whether the connection is used at all.
func (r resetter) ResetSession(ctx context.Context) (err error) {
	r.c.leaveNoTx()
	ctx, trace := r.c.pc.Trace(ctx, pinned.OpReset, "")
	if trace != nil {
		defer func() { trace.End(err) }()
	}
	if r.c.leftCall == nil && r.c.pc.NeedsNoReset() {
		return nil
	}
	return r.c.do(ctx, trace, r.c.pc.Reset, func() {})
}

type validator struct{ c *conn }

// IsValid returns what the inner connection's IsValid said after its last call. A
// connection whose transaction could not be rolled back is not valid.
func (v validator) IsValid() bool {
	v.c.leaveNoTx()
	return v.c.pc.Valid()
}

// leaveNoTx is called when the connection comes back to the pool (IsValid), and before
// its next use (ResetSession). It rolls back a transaction that the text of a statement
// has left open: the next user would work inside of it, and lose what was done.
func (c *conn) leaveNoTx() {
	if c.leftCall != nil && !c.leftCall.Over() { // it may still begin one
		c.pc.Later(func() { c.pc.RollBackOpen() })
	}
	if c.tx != nil {
		return
	}
	if text, was := c.pc.RollBackLeft(); was {
		warnings.Show(&warnings.ResourceWarning{Info: warnings.Info{
			Message:   "a transaction was left open on a connection of the pool, and rolled back",
			Advice:    "use BeginTx, or a sql.Conn on which the transaction is ended before it is closed",
			Statement: text,
		}})
	}
}

// CheckNamedValue accepts everything: the real check is made on the thread, in
// the call that uses the value.
func (c *conn) CheckNamedValue(*driver.NamedValue) error { return nil }

func (c *conn) Ping(ctx context.Context) error {
	if !c.pc.Pings() {
		return nil
	}
	return c.blocking(ctx, pinned.OpPing, "", c.pc.Ping, func() {})
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.skip {
		c.skip = false
		return nil, driver.ErrSkip
	}
	if err := c.ended(); err != nil {
		return nil, err
	}
	s := &stmt{c: c, query: query, inner: new(pinned.Stmt)}
	err := c.blocking(ctx, pinned.OpPrepare, query, func(inner context.Context) error {
		return c.pc.Prepare(inner, c.held(), query, s.inner)
	}, func() { s.inner.Close() })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close closes what the face has open; the pool's face closes the connection and
// ends its thread. Closing twice does nothing.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	if !c.owns {
		returned := c.returned
		return c.closing(func() error {
			if c.holder != nil {
				c.holder.Close()
			}
			if !returned {
				c.pc.Drop()
			}
			return nil
		})
	}
	c.cleanup.Stop()
	return c.closeWhole()
}

// closeWhole closes the connection and ends its thread. It does not wait for a thread
// that is busy with a call that was left.
func (c *conn) closeWhole() (err error) {
	var begun atomic.Bool
	cl := &call{closing: true}
	_, cl.trace = c.pc.Trace(context.Background(), pinned.OpClose, "")
	if cl.trace != nil {
		defer func() { cl.trace.End(err) }()
	}
	f := &function{fn: func(context.Context) error {
		begun.Store(true)
		cl.signal()
		return c.pc.CloseInner()
	}}
	if err := cl.begin(context.Background(), c, f); err != nil {
		c.pc.QuitAndWait()
		return err
	}
	busy := c.leftCall != nil && !c.leftCall.Over()
	if cl.task != nil && (busy || !pinned.AwaitGrace(cl.task, begun.Load)) {
		cl.task.Leave()
		c.pc.Quit()
		return nil
	}
	defer c.pc.QuitAndWait()
	if err := cl.await(nil); err != nil {
		return err
	}
	if err := cl.end(); err != nil {
		return err
	}
	return f.err
}
