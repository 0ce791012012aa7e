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

// erQueryInterrupted is ER_QUERY_INTERRUPTED, the server's answer for a statement
// that KILL QUERY has stopped. A COMMIT with this answer has left its transaction
// open.
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

// Interrupted reports whether err is the server's answer that it has stopped the
// call and kept nothing of it. It is false if the server has stopped the second or
// a later one of several statements. Only TxStatus can find that out: call it first.
//
// The server does not tell two things: a table without transactions keeps the rows
// written so far, and what a procedure has committed stays.
func (i *interrupter) Interrupted(err error) bool {
	return isKilled(err) && refusal(err) != i.partly.Load()
}

// Lost reports whether err says that the connection broke after the call, or a part
// of it, was sent. Then it is unknown whether the server has carried it out. Lost is
// false for ErrBadConn if nothing was sent. It is about the last call, and is safe
// for concurrent use.
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
