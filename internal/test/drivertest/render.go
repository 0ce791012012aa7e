package drivertest

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"hash/crc32"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Render shows a value with its Go type and without addresses, so that the
// texts of equal values in two runs are equal.
func Render(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case []byte:
		if v == nil {
			return "[]byte(nil)"
		}
		return "[]byte(" + quote(string(v)) + ")"
	case string:
		return quote(v)
	case time.Time:
		return "time(" + v.Format(time.RFC3339Nano) + ")"
	case driver.NamedValue:
		return fmt.Sprintf("%d%s=%s", v.Ordinal, v.Name, Render(v.Value))
	case driver.Rows:
		return "driver.Rows"
	case Arg:
		return fmt.Sprintf("Arg(%s %s)", v.Do, Render(v.Value))
	case sql.Out:
		return fmt.Sprintf("Out(%s %t)", Render(v.Dest), v.In)
	}
	return renderKind(reflect.ValueOf(v))
}

// quote shows a text, a long one by its beginning, length and checksum.
func quote(s string) string {
	const long = 200
	if len(s) <= long {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... %d bytes, checksum %08x", s[:20], len(s), crc32.ChecksumIEEE([]byte(s)))
}

func renderKind(rv reflect.Value) string {
	switch rv.Kind() {
	case reflect.Pointer:
		if rv.IsNil() {
			return fmt.Sprintf("%s(nil)", rv.Type())
		}
		if !rv.Elem().CanInterface() {
			return "&" + rv.Type().String()
		}
		return "&" + Render(rv.Elem().Interface())
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return rv.Type().String()
	}
	return fmt.Sprintf("%s(%v)", rv.Type(), rv.Interface())
}

func renderNamed(args []driver.NamedValue) string {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = Render(a)
	}
	return strings.Join(texts, ", ")
}

func renderValues(args []driver.Value) string {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = Render(a)
	}
	return strings.Join(texts, ", ")
}
