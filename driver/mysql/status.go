package mysql

import (
	"context"
	"database/sql/driver"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// statusInTrans is the flag SERVER_STATUS_IN_TRANS of the server's status.
const statusInTrans = 1 << 0

// txState tells whether a transaction is open on a connection. It is used on the
// connection's thread only.
type txState struct {
	inner  driver.Conn
	status *uint16 // the driver's: the flags of the server's last answer
}

// txStateOf returns nil if the driver does not keep its status where statusOf looks.
func txStateOf(inner driver.Conn) *txState {
	status := statusOf(inner)
	if status == nil {
		return nil
	}
	return &txState{inner, status}
}

// TxStatus implements pinned.TxReporter.
//
// After success it costs one load. After an error that the server has sent, it asks
// the server by a ping, one round trip, which leaves the warnings and errors of the
// statement in place. It has to ask because the packet of an error carries no flags:
// a deadlock ends the transaction, a failed CREATE TABLE may have committed it, a
// procedure may have begun one.
//
// When in doubt it says TxLost: a statement that commits what came before it, such as
// CREATE TABLE, may fail with an error that also rolls back transactions. After an
// error that the server did not send, it says what the last answer said. If the
// connection is broken, that is out of date: ask Lost first.
func (s *txState) TxStatus(err error) pinned.TxStatus {
	before, refused := s.now(), refusal(err)
	if refused == nil {
		return before
	}
	after := pinned.TxNone
	p, ok := s.inner.(driver.Pinger)
	asked := ok && answered(func() error { return p.Ping(context.Background()) })
	if asked {
		after = s.now()
	}
	if before == pinned.TxOpen && after == pinned.TxNone && (!asked || mayRollBack(refused)) {
		return pinned.TxLost
	}
	return after
}

// now returns what the server's last answer said.
func (s *txState) now() pinned.TxStatus {
	if *s.status&statusInTrans != 0 {
		return pinned.TxOpen
	}
	return pinned.TxNone
}

// tracked is an interrupter for a connection whose status is known.
type tracked struct {
	*interrupter
	state *txState
}

// TxStatus also notes for Interrupted whether the call had several results.
func (t tracked) TxStatus(err error) pinned.TxStatus {
	if refused := refusal(err); refused != nil && t.results != nil && len(*t.results) > 1 {
		t.partly.Store(refused)
	}
	return t.state.TxStatus(err)
}

// mayRollBack reports whether a server that answers with err may have rolled back the
// whole transaction. It has not if it rejects the statement or its values, or if a
// procedure raises an error of its own: if the transaction has ended nevertheless,
// the statement has committed it first.
func mayRollBack(err *mysql.MySQLError) bool {
	switch string(err.SQLState[:2]) {
	case "21", "22", "23", "42", "45":
		return false
	}
	return true
}
