package mysql

import (
	"database/sql/driver"
	"errors"
	"io"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// erQueryInterrupted is ER_QUERY_INTERRUPTED: the server's answer for a
// statement that KILL QUERY has stopped. A COMMIT that is answered so has left
// its transaction open.
const erQueryInterrupted = 1317

func isKilled(err error) bool {
	killed := (*mysql.MySQLError)(nil)
	return errors.As(err, &killed) && killed.Number == erQueryInterrupted
}

// Interrupted reports whether err is the server's answer that it has stopped
// the call and kept nothing of it. It is false if it has stopped a later
// statement of several, which only TxStatus can find out: call that first.
//
// Two things the server does not tell: of a table without transactions the rows
// written so far stay, and so does what a procedure has committed.
func (i *interrupter) Interrupted(err error) bool {
	killed := (*mysql.MySQLError)(nil)
	return isKilled(err) && errors.As(err, &killed) && killed != i.partly.Load()
}

// Lost reports whether err says that the connection broke after the call, or a
// part of it, was sent, so that it is unknown whether the server has carried it out.
// It is false for ErrBadConn if nothing was sent. It is safe for concurrent use, but means
// the last call.
func (i *interrupter) Lost(err error) bool {
	answer := (*mysql.MySQLError)(nil)
	switch {
	case err == nil, err == io.EOF, errors.As(err, &answer):
		return false
	case !i.conn.broken():
		return false // such as the error of a program's Reader for LOAD DATA
	case errors.Is(err, driver.ErrBadConn):
		return i.conn.unanswered()
	}
	return true
}

// tracked is an interrupter for a connection whose status is known.
type tracked struct {
	*interrupter
	state *txState
}

// TxStatus tells what txState's does. It also learns for Interrupted whether the
// call had several results.
func (t tracked) TxStatus(err error) pinned.TxStatus {
	refused := (*mysql.MySQLError)(nil)
	if t.results != nil && len(*t.results) > 1 && errors.As(err, &refused) {
		t.partly.Store(refused)
	}
	return reporter{t.state}.TxStatus(err)
}

// reporter tells what txState does in the shim's words.
type reporter struct{ state *txState }

// TxStatus implements pinned.TxReporter.
func (r reporter) TxStatus(err error) pinned.TxStatus {
	switch open, lost := r.state.TxStatus(err); {
	case lost:
		return pinned.TxLost
	case open:
		return pinned.TxOpen
	}
	return pinned.TxNone
}
