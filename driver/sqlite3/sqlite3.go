//go:build cgo

package sqlite3

import (
	"database/sql/driver"
	"reflect"
	"unsafe"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

func init() { aio.RegisterAdapter(&sqlite3.SQLiteDriver{}, adapter{}) }

type adapter struct{}

var (
	_ aio.Adapter = adapter{}
	_ aio.Traiter = adapter{}
)

// Traits: go-sqlite3 copies every blob out of SQLite, a statement that was stepped to
// its end holds no lock, and column types are the declared ones.
func (adapter) Traits() aio.Traits {
	return aio.Traits{FreshBytes: true, QuietEnd: true, FixedTypes: true}
}

// Interrupter returns nil, which leaves cancelling to go-sqlite3, if the handle
// cannot be had.
func (adapter) Interrupter(inner driver.Conn, _ driver.Connector) aio.Interrupter {
	conn, ok := inner.(*sqlite3.SQLiteConn)
	if !ok {
		return nil
	}
	db := handle(conn)
	if db == nil || *db == nil {
		return nil
	}
	if i := newInterrupter(conn, db); i != nil {
		return i
	}
	return nil
}

// handle returns the address of the unexported field that holds the sqlite3* of
// go-sqlite3's connection, or nil. The field is nil once the connection is
// closed.
func handle(conn *sqlite3.SQLiteConn) *unsafe.Pointer {
	f := reflect.ValueOf(conn).Elem().FieldByName("db")
	if !f.IsValid() || f.Kind() != reflect.Pointer {
		return nil
	}
	return (*unsafe.Pointer)(unsafe.Pointer(f.UnsafeAddr()))
}
