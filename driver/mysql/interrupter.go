package mysql

import (
	"context"
	"database/sql/driver"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// sideTimeout bounds one KILL, including the time to connect.
	sideTimeout = time.Second
	// If a statement goes on for this long after the first Interrupt, the
	// connection is closed: patience in general, and undoPatience while the server
	// says that it is ending the statement, since undoing a large change takes long.
	patience     = 2 * time.Second
	undoPatience = 30 * time.Second
	// idlePatience is how long a call may go on when the server has nothing more to
	// do for it. That happens when a prepared SELECT is executed by Exec and killed
	// before its first row: the driver takes the error for the description of a
	// column, and waits on.
	idlePatience = 300 * time.Millisecond
	// A KILL that reaches the server before its statement does nothing. So it is
	// repeated, after pauses that grow from firstPause to lastPause.
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// interrupter stops the calls on one connection.
//
// For one call it is in one of these states; mu guards the state.
//
//	quiet     no Interrupt yet            -> killing (Interrupt)
//	killing   KILLs are sent              -> quiet (Settle), hung up
//	hung up   the connection is closed, for good: see hung
type interrupter struct {
	inner     driver.Conn
	conn      *conn // below inner
	connector driver.Connector
	session   session
	settles   bool          // whether a late KILL must be absorbed
	patience  time.Duration // see the constant
	results   *[]int64      // see resultsOf; the thread's

	hung   context.Context // ended by HangUp
	hang   context.CancelFunc
	partly atomic.Pointer[mysql.MySQLError] // an answer to the last of several statements

	mu       sync.Mutex // guards what follows: about the call being interrupted
	since    time.Time  // when its first Interrupt came; zero: none did
	next     time.Time  // no KILL before
	pause    time.Duration
	idle     time.Time // since when the server has had nothing to do for it; zero: it is busy
	stopping bool      // the server is ending it
	sent     uint64    // conn.sent when that was looked up
	received uint64    // and conn.received
}

func newInterrupter(inner driver.Conn, nc *conn, c driver.Connector, s session) *interrupter {
	i := &interrupter{inner: inner, conn: nc, connector: c, session: s, patience: patience, results: resultsOf(inner)}
	i.hung, i.hang = context.WithCancel(context.Background())
	return i
}

// HangUp closes the network connection, so that whatever runs on the thread soon
// ends with an error. It does not wait for that, and may be called at any time and
// in any goroutine.
func (i *interrupter) HangUp() {
	i.hang()
	_ = i.conn.Close() // nobody is left to be told
}

func (i *interrupter) isHungUp() bool { return i.hung.Err() != nil }

// Interrupt kills the statement that runs on the connection. It hangs up if it
// cannot do that, or if earlier KILLs have not helped. If ctx ends before the KILL
// is sent, it returns at once and does nothing. After the KILL is sent it waits for
// the answer, for sideTimeout at most. If there is none it hangs up, because the
// KILL could still hit a later statement.
func (i *interrupter) Interrupt(ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if ctx.Err() != nil || !i.due(time.Now()) {
		return
	}
	again := i.pause > firstPause
	before, done := i.bound(ctx)
	defer done()
	after, done := i.bound(context.WithoutCancel(ctx))
	defer done()
	var running activity
	fate := withSide(before, i.connector, i.session.server, func(s *side) fate {
		fate := s.kill(after, i.session.id)
		if fate == struck && again {
			running = s.look(before, i.session.id)
		}
		return fate
	})
	switch {
	case fate == unsent && ctx.Err() != nil:
		return // the call has ended by itself
	case fate != struck:
		i.HangUp()
		return
	}
	now := time.Now()
	i.observe(now, running)
	i.next = now.Add(i.pause)
	i.pause = min(2*i.pause, lastPause)
}

// ReadsOnly is false for all queries: when rows are closed early the driver reads the
// others all the same, and what a function or a view does is done with them.
func (i *interrupter) ReadsOnly(string) bool { return false }

// NeedsNoReset is pinned.Resetter's. The driver's ResetSession only looks whether the
// connection is still good, and reads nothing unless the server has closed it, or has sent
// what nobody has asked for.
func (i *interrupter) NeedsNoReset() bool { return i.conn.quiet() }

// bound returns ctx with an end after sideTimeout, or when the connection is hung
// up.
func (i *interrupter) bound(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	stop := context.AfterFunc(i.hung, cancel)
	return ctx, func() { stop(); cancel() }
}

// due reports whether it is time for a KILL. It hangs up if the call has had time
// enough to end.
func (i *interrupter) due(now time.Time) bool {
	if i.isHungUp() {
		return false
	}
	if i.since.IsZero() {
		i.since, i.pause = now, firstPause
		return true
	}
	limit := i.patience
	if i.stopping {
		limit = undoPatience
	}
	if now.Sub(i.since) > limit || !i.idle.IsZero() && now.Sub(i.idle) > idlePatience {
		i.HangUp()
		return false
	}
	return !now.Before(i.next)
}

// observe notes what the server says about the session after a KILL. If the
// connection sends anything meanwhile, that is the data of a LOAD DATA LOCAL: the
// server reads it to its end before it reports the KILL, and there may be no end.
// If the connection receives anything, that is the rest of a result, over a slow
// network.
func (i *interrupter) observe(now time.Time, running activity) {
	sent, received := i.conn.sent.Load(), i.conn.received.Load()
	i.stopping = running == stopping && sent == i.sent
	if running != idle || received != i.received {
		i.idle = time.Time{}
	} else if i.idle.IsZero() {
		i.idle = now
	}
	i.sent, i.received = sent, received
}

// Settle makes sure that a late KILL does not hit the next statement, on servers
// where it could. No Interrupt may be running, and no result may be open on the
// connection. An error is driver.ErrBadConn.
func (i *interrupter) Settle() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.since, i.next, i.idle, i.stopping = time.Time{}, time.Time{}, time.Time{}, false
	if i.isHungUp() {
		return driver.ErrBadConn
	}
	x, ok := i.inner.(driver.ExecerContext)
	if !i.settles || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), sideTimeout)
	defer cancel()
	if answered(func() error { _, err := x.ExecContext(ctx, "DO 0", nil); return err }) {
		return nil
	}
	i.HangUp()
	return driver.ErrBadConn
}
