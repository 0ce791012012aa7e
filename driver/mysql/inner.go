package mysql

import (
	"database/sql/driver"
	"net"
	"reflect"
)

// connOf returns the connection below a connection of the driver, or nil if it
// did not come from one of this package's dialers, or if this version of the
// driver keeps it elsewhere. Then the driver is left to itself.
//
// The field is read once, on the connection's thread, right after opening; the
// driver does not change it later.
func connOf(inner driver.Conn) *conn {
	v := reflect.ValueOf(inner)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return nil
	}
	v = v.Elem()
	if t := v.Type(); t.Kind() != reflect.Struct || t.PkgPath() != "github.com/go-sql-driver/mysql" {
		return nil
	}
	// rawConn is the connection below TLS, and the same as netConn without.
	f := v.FieldByName("rawConn")
	if !f.IsValid() || f.Type() != reflect.TypeFor[net.Conn]() || f.IsNil() {
		return nil
	}
	if f = f.Elem(); f.Type() != reflect.TypeFor[*conn]() {
		return nil
	}
	return (*conn)(f.UnsafePointer())
}
