package overlay

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"
	"unicode"
	"unicode/utf8"
)

// take turns arguments into what drivers take, as they are now: what the caller
// changes afterwards has no effect. Their conversion is the shim's business.
func take(args []any) ([]driver.NamedValue, error) {
	if len(args) == 0 {
		return nil, nil
	}
	vs := make([]driver.NamedValue, len(args))
	for i, a := range args {
		v := driver.NamedValue{Ordinal: i + 1, Value: a}
		if n, ok := a.(sql.NamedArg); ok {
			if r, _ := utf8.DecodeRuneInString(n.Name); !unicode.IsLetter(r) {
				return nil, fmt.Errorf("overlay: argument %d: name %q does not begin with a letter", i+1, n.Name)
			}
			v.Name, v.Value = n.Name, n.Value
		}
		v.Value = own(v.Value)
		vs[i] = v
	}
	return vs, nil
}

// own returns a copy of an argument that its caller could change: bytes, and what
// a pointer points to if that is a plain value. A driver.Valuer is kept as it is:
// its Value is asked on the thread.
func own(v any) any {
	switch v := v.(type) {
	case nil, int, int64, string, bool, float64, time.Time, int32, uint64:
		return v
	case []byte:
		return bytes.Clone(v)
	case driver.Valuer, sql.Out:
		return v
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice:
		if rv.Type().Elem().Kind() == reflect.Uint8 && !rv.IsNil() {
			c := reflect.MakeSlice(rv.Type(), rv.Len(), rv.Len())
			reflect.Copy(c, rv)
			return c.Interface()
		}
	case reflect.Pointer:
		if !rv.IsNil() && rv.Type().Elem().Kind() != reflect.Struct || rv.Type().Elem() == reflect.TypeFor[time.Time]() {
			if rv.IsNil() {
				return v
			}
			c := reflect.New(rv.Type().Elem())
			if inner := own(rv.Elem().Interface()); inner != nil {
				c.Elem().Set(reflect.ValueOf(inner))
			}
			return c.Interface()
		}
	}
	return v
}
