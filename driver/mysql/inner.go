package mysql

import (
	"database/sql/driver"
	"net"
	"reflect"
	"unsafe"
)

// The driver gives no access to what is below its connection. So its fields are
// looked up by name, once for each connection, on its thread and right after
// opening. If a version of the driver keeps a field elsewhere, it is not found, and
// this package does without what needs it.

// fieldOf returns the field at that path in a connection of the driver, or the
// zero Value if there is none, or inner is no such connection.
func fieldOf(inner driver.Conn, path ...string) reflect.Value {
	v := reflect.ValueOf(inner)
	if v.Kind() != reflect.Pointer || v.Type().Elem().PkgPath() != "github.com/go-sql-driver/mysql" {
		return reflect.Value{}
	}
	v = v.Elem()
	for _, name := range path {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		v = v.FieldByName(name)
	}
	return v
}

// connOf returns the connection below a connection of the driver, or nil if it
// did not come from one of this package's dialers. The driver does not change
// that field later.
func connOf(inner driver.Conn) *conn {
	f := fieldOf(inner, "rawConn") // below TLS
	if !f.IsValid() || f.Type() != reflect.TypeFor[net.Conn]() || f.IsNil() {
		return nil
	}
	if f = f.Elem(); f.Type() != reflect.TypeFor[*conn]() {
		return nil
	}
	return (*conn)(f.UnsafePointer())
}

// statusOf returns where a connection of the driver keeps the status flags of
// the server's last answer, or nil.
func statusOf(inner driver.Conn) *uint16 {
	f := fieldOf(inner, "status")
	if f.Kind() != reflect.Uint16 || f.Type().Name() != "statusFlag" {
		return nil
	}
	return (*uint16)(unsafe.Pointer(f.UnsafeAddr()))
}

// resultsOf returns where a connection of the driver keeps a number for each
// result of the last command so far, or nil.
func resultsOf(inner driver.Conn) *[]int64 {
	f := fieldOf(inner, "result", "affectedRows")
	if !f.IsValid() || f.Type() != reflect.TypeFor[[]int64]() {
		return nil
	}
	return (*[]int64)(unsafe.Pointer(f.UnsafeAddr()))
}
