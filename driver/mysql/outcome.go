package mysql

import (
	"database/sql/driver"
	"errors"
	"io"

	"github.com/go-sql-driver/mysql"
)

// refusal returns the server's answer if err is one, and nil otherwise.
func refusal(err error) *mysql.MySQLError {
	if err == nil {
		return nil // the usual case allocates nothing
	}
	answer := (*mysql.MySQLError)(nil)
	errors.As(err, &answer)
	return answer
}

// erQueryInterrupted is ER_QUERY_INTERRUPTED: the server's answer for a
// statement that KILL QUERY has stopped. A COMMIT that is answered so has left
// its transaction open.
const erQueryInterrupted = 1317

func isKilled(err error) bool {
	answer := refusal(err)
	return answer != nil && answer.Number == erQueryInterrupted
}

// answered makes a call again that a late KILL QUERY has hit. It reports
// whether the call succeeded.
func answered(call func() error) bool {
	for range attempts {
		if err := call(); !isKilled(err) {
			return err == nil
		}
	}
	return false
}

// Interrupted reports whether err is the server's answer that it has stopped
// the call and kept nothing of it. It is false if it has stopped a later
// statement of several, which only TxStatus can find out: call that first.
//
// Two things the server does not tell: of a table without transactions the rows
// written so far stay, and so does what a procedure has committed.
func (i *interrupter) Interrupted(err error) bool {
	return isKilled(err) && refusal(err) != i.partly.Load()
}

// Lost reports whether err says that the connection broke after the call, or a
// part of it, was sent, so that it is unknown whether the server has carried it out.
// It is false for ErrBadConn if nothing was sent. It is safe for concurrent use, but means
// the last call.
func (i *interrupter) Lost(err error) bool {
	switch {
	case err == nil, err == io.EOF, refusal(err) != nil:
		return false
	case !i.conn.broken():
		return false // such as the error of a program's Reader for LOAD DATA
	case errors.Is(err, driver.ErrBadConn):
		return i.conn.unanswered()
	}
	return true
}
