package pinned

import (
	"database/sql/driver"
	"reflect"
)

// reporterOf returns a reporter for a connection whose driver has no adapter; nil if
// the connection cannot tell whether a transaction is open.
func reporterOf(inner driver.Conn) TxReporter {
	if a, ok := inner.(interface{ AutoCommit() bool }); ok { // go-sqlite3
		return &autoCommitter{c: a}
	}
	if f := pgStatusOf(inner); f != nil {
		return f
	}
	return nil
}

type autoCommitter struct {
	c    interface{ AutoCommit() bool }
	open bool // after the last call
}

func (a *autoCommitter) TxStatus(err error) TxStatus {
	before := a.open
	a.open = !a.c.AutoCommit()
	switch {
	case a.open:
		return TxOpen
	case before && err != nil:
		return TxLost
	}
	return TxNone
}

// pgStatus returns the transaction status byte of PostgreSQL's protocol.
type pgStatus func() byte

// TxStatus never returns TxLost: in a failed transaction PostgreSQL itself refuses
// statements.
func (f pgStatus) TxStatus(error) TxStatus {
	switch f() {
	case 'I':
		return TxNone
	case 'T', 'E':
		return TxOpen
	}
	return TxUnknown
}

// pgStatusOf finds the status in connections of pgx's stdlib and of lib/pq,
// without importing them.
func pgStatusOf(inner driver.Conn) pgStatus {
	v := reflect.ValueOf(inner)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	if conn := v.MethodByName("Conn"); conn.IsValid() && conn.Type().NumIn() == 0 && conn.Type().NumOut() == 1 {
		pg := conn.Call(nil)[0].MethodByName("PgConn")
		if !pg.IsValid() || pg.Type().NumIn() != 0 || pg.Type().NumOut() != 1 {
			return nil
		}
		s, ok := pg.Call(nil)[0].Interface().(interface{ TxStatus() byte })
		if !ok {
			return nil
		}
		return s.TxStatus
	}
	if e := v.Elem(); e.Kind() == reflect.Struct && e.Type().PkgPath() == "github.com/lib/pq" {
		if f := e.FieldByName("txnStatus"); f.IsValid() && f.Kind() == reflect.Uint8 {
			return func() byte { return byte(f.Uint()) }
		}
	}
	return nil
}
