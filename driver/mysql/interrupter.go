package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// sideTimeout bounds one KILL, connecting included.
	sideTimeout = time.Second
	// patience is how long a killed statement may take to end, from the first
	// Interrupt on, before the connection is closed. Undoing a large change
	// takes long, and goes on in the server after that.
	patience = 2 * time.Second
	// A KILL that comes before its statement has reached the server finds
	// nothing to do, and so it is repeated, after pauses that grow from first
	// to last.
	firstPause = 10 * time.Millisecond
	lastPause  = 250 * time.Millisecond
)

// interrupter stops the calls on one connection.
type interrupter struct {
	inner     driver.Conn
	conn      *conn // below inner
	connector driver.Connector
	session   session
	settles   bool        // whether a late KILL must be absorbed
	hungUp    atomic.Bool // the connection was closed to end a call

	mu    sync.Mutex // guards what follows: about the call being interrupted
	since time.Time  // its first Interrupt; zero: none
	next  time.Time  // no KILL before
	pause time.Duration
}

// Interrupt kills the statement that runs on the connection. It hangs up if that
// cannot be done, or did not help.
func (i *interrupter) Interrupt(ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := time.Now()
	switch {
	case i.hungUp.Load():
		return
	case i.since.IsZero():
		i.since, i.pause = now, firstPause
	case now.Sub(i.since) > patience:
		i.hangUp()
		return
	case now.Before(i.next):
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sideTimeout)
	defer cancel()
	if !kill(ctx, i.connector, i.session) {
		i.hangUp()
		return
	}
	i.next = time.Now().Add(i.pause)
	i.pause = min(2*i.pause, lastPause)
}

// hangUp ends the call the way the driver ends one itself.
func (i *interrupter) hangUp() {
	i.hungUp.Store(true)
	_ = i.conn.Close() // nobody is left to be told
}

// erQueryInterrupted is ER_QUERY_INTERRUPTED.
const erQueryInterrupted = 1317

// Interrupted reports whether err is the server's answer to KILL QUERY, or what
// the driver reports after hanging up.
func (i *interrupter) Interrupted(err error) bool {
	if killed := (*mysql.MySQLError)(nil); errors.As(err, &killed) {
		return killed.Number == erQueryInterrupted
	}
	return i.hungUp.Load() && (errors.Is(err, mysql.ErrInvalidConn) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed))
}

// Settle makes sure that no KILL is left over for the next statement, where that
// can happen. No result may be open on the connection then. An error is
// driver.ErrBadConn.
func (i *interrupter) Settle() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.since, i.next = time.Time{}, time.Time{}
	if i.hungUp.Load() {
		return driver.ErrBadConn
	}
	x, ok := i.inner.(driver.ExecerContext)
	if !i.settles || !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), sideTimeout)
	defer cancel()
	for range attempts {
		_, err := x.ExecContext(ctx, "DO 0", nil)
		if err == nil {
			return nil
		}
		if !i.Interrupted(err) {
			break
		}
	}
	i.hangUp()
	return driver.ErrBadConn
}

// settles tells whether a server of this version may hold a KILL QUERY that came
// too late against the next statement. MariaDB never does: it drops the KILL when
// a statement ends and ignores one that finds the session idle.
func settles(version string) bool { return !strings.Contains(version, "MariaDB") }
