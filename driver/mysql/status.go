package mysql

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"
)

// Flags of the server's status, as the protocol numbers them.
const statusInTrans = 1 << 0

// txState tells whether a transaction is open on a connection. It is used on the
// connection's thread only.
type txState struct {
	inner  driver.Conn
	status *uint16 // the driver's: the flags of the server's last answer
}

// txStateOf returns nil if the driver does not keep its status where it is
// looked for.
func txStateOf(inner driver.Conn) *txState {
	status := statusOf(inner)
	if status == nil {
		return nil
	}
	return &txState{inner, status}
}

// TxStatus reports, after a call that ended with err, whether a transaction is
// open, and whether one that had been open was lost: the server has rolled it
// back as a whole. It runs on the connection's thread.
//
// After success it costs one load. The packet of an error carries no flags, and
// what the server has done besides refusing the statement differs widely: a
// deadlock ends the transaction, a failed CREATE TABLE may have committed it, a
// procedure may have begun one. So after an error that the server has sent,
// TxStatus asks it by a ping, one round trip, which leaves the warnings and
// errors of the statement in place.
//
// lost is true too often rather than too seldom: a statement that commits what
// came before it, such as CREATE TABLE, may fail in a way in which transactions
// are rolled back as well. After an error that the server did not send, open is
// what its last answer said. If the connection is broken that is out of date: ask Lost first.
func (s *txState) TxStatus(err error) (open, lost bool) {
	before := s.open()
	refused := (*mysql.MySQLError)(nil)
	if !errors.As(err, &refused) {
		return before, false
	}
	if !s.ask() {
		return false, before
	}
	open = s.open()
	return open, before && !open && mayRollBack(refused)
}

func (s *txState) open() bool { return *s.status&statusInTrans != 0 }

// ask has the server send its status. It reports whether it did.
func (s *txState) ask() bool {
	p, ok := s.inner.(driver.Pinger)
	if !ok {
		return false
	}
	for range attempts {
		err := p.Ping(context.Background())
		if err == nil {
			return true
		}
		if !isKilled(err) { // by a KILL QUERY that was late
			return false
		}
	}
	return false
}

// mayRollBack reports whether a server may have rolled back a whole transaction
// when it reports err. It does not when it finds fault with the statement or its
// values, or when a procedure raises an error of its own: if a transaction has ended with
// one of these, the statement has committed it first.
func mayRollBack(err *mysql.MySQLError) bool {
	switch string(err.SQLState[:2]) {
	case "21", "22", "23", "42", "45":
		return false
	}
	return true
}
