package overlay

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"time"
)

// assign stores a driver's value in what dest points to. It converts as sql.Rows.Scan does
// and returns its errors; a nil pointer is an error even where sql.Rows.Scan panics. Bytes
// are copied, except into sql.RawBytes and for a Scanner: those share the row's.
func assign(dest, src any) error {
	switch d := dest.(type) { // the most common ones, without reflection
	case *int64:
		if n, ok := src.(int64); ok && d != nil {
			*d = n
			return nil
		}
	case *string:
		if s, ok := src.(string); ok && d != nil {
			*d = s
			return nil
		}
	}
	if s, ok := src.(decomposer); ok {
		if d, ok := dest.(composer); ok {
			return d.Compose(s.Decompose(nil))
		}
	}
	if s, ok := dest.(sql.Scanner); ok {
		return s.Scan(src)
	}
	pv := reflect.ValueOf(dest)
	switch {
	case pv.Kind() != reflect.Pointer:
		return errors.New("destination not a pointer")
	case pv.IsNil():
		return errors.New("destination pointer is nil")
	}
	switch d := dest.(type) {
	case *any:
		*d = owned(src)
		return nil
	case *bool:
		v, err := driver.Bool.ConvertValue(src)
		if err == nil {
			*d = v.(bool)
		}
		return err
	case *string:
		if text, ok := bytesOf(src); ok && src != nil {
			*d = string(text)
			return nil
		}
	case *[]byte:
		if text, ok := bytesOf(owned(src)); ok {
			*d = text
			return nil
		}
	case *sql.RawBytes:
		if text, ok := bytesOf(src); ok {
			*d = text
			return nil
		}
	}
	return assignKind(pv.Elem(), dest, src)
}

// A decimal number that is not of a type of Go's: see package database/sql.
type (
	decomposer interface {
		Decompose(buf []byte) (form byte, negative bool, coefficient []byte, exponent int32)
	}
	composer interface {
		Compose(form byte, negative bool, coefficient []byte, exponent int32) error
	}
)

// assignKind is assign by the kind of dv, which dest points to.
func assignKind(dv reflect.Value, dest, src any) error {
	kind := dv.Kind()
	if src == nil {
		switch {
		case kind == reflect.Pointer:
			dv.SetZero()
			return nil
		case isNumber(kind), kind == reflect.String:
			return fmt.Errorf("converting NULL to %s is unsupported", kind)
		}
		return unsupported(dest, src)
	}
	sv := reflect.ValueOf(src)
	text, isBytes := src.([]byte)
	switch {
	case sv.Type().AssignableTo(dv.Type()):
		dv.Set(reflect.ValueOf(owned(src)))
	case sv.Kind() == kind && sv.CanConvert(dv.Type()):
		dv.Set(sv.Convert(dv.Type()))
	case kind == reflect.Pointer:
		dv.Set(reflect.New(dv.Type().Elem()))
		return assign(dv.Interface(), src)
	case isNumber(kind):
		return assignNumber(dv, sv, src)
	case kind == reflect.String && isBytes:
		dv.SetString(string(text))
	default:
		return unsupported(dest, src)
	}
	return nil
}

func unsupported(dest, src any) error {
	return fmt.Errorf("unsupported Scan, storing driver.Value type %T into type %T", src, dest)
}

// assignNumber converts by way of text, which tells what is not a number or out of range.
// An integer that fits needs none.
func assignNumber(dv, sv reflect.Value, src any) (err error) {
	var text string
	switch {
	case dv.CanInt() && sv.CanInt() && !dv.OverflowInt(sv.Int()):
		dv.SetInt(sv.Int())
	case dv.CanUint() && sv.CanInt() && sv.Int() >= 0 && !dv.OverflowUint(uint64(sv.Int())):
		dv.SetUint(uint64(sv.Int()))
	case dv.CanInt():
		var n int64
		text = numeral(sv, src)
		if n, err = strconv.ParseInt(text, 10, dv.Type().Bits()); err == nil {
			dv.SetInt(n)
		}
	case dv.CanUint():
		var n uint64
		text = numeral(sv, src)
		if n, err = strconv.ParseUint(text, 10, dv.Type().Bits()); err == nil {
			dv.SetUint(n)
		}
	default:
		var n float64
		text = numeral(sv, src)
		if n, err = strconv.ParseFloat(text, dv.Type().Bits()); err == nil {
			dv.SetFloat(n)
		}
	}
	if err != nil {
		err = fmt.Errorf("converting driver.Value type %T (%q) to a %s: %v", src, text, dv.Kind(), errors.Unwrap(err))
	}
	return err
}

func isNumber(k reflect.Kind) bool {
	return reflect.Int <= k && k <= reflect.Float64 && k != reflect.Uintptr
}

// numeral is a value as a number is read from it.
func numeral(sv reflect.Value, src any) string {
	switch s := src.(type) {
	case string:
		return s
	case []byte:
		return string(s)
	}
	if text, ok := appendBasic(nil, sv); ok {
		return string(text)
	}
	return fmt.Sprint(src)
}

// owned is a value that shares no bytes with the row.
func owned(src any) any {
	if b, ok := src.([]byte); ok {
		return bytes.Clone(b)
	}
	return src
}

// bytesOf is a value as text, NULL as nil. A []byte is not copied.
func bytesOf(src any) (text []byte, ok bool) {
	switch s := src.(type) {
	case nil:
		return nil, true
	case []byte:
		return s, true
	case string:
		return []byte(s), true
	case time.Time:
		return s.AppendFormat(nil, time.RFC3339Nano), true
	}
	sv := reflect.ValueOf(src)
	if sv.Kind() == reflect.String {
		return append([]byte(nil), sv.String()...), true
	}
	return appendBasic(nil, sv)
}

// appendBasic appends a bool or a number as text.
func appendBasic(buf []byte, v reflect.Value) (text []byte, ok bool) {
	switch k := v.Kind(); {
	case k == reflect.Bool:
		return strconv.AppendBool(buf, v.Bool()), true
	case !isNumber(k):
		return buf, false
	case v.CanInt():
		return strconv.AppendInt(buf, v.Int(), 10), true
	case v.CanUint():
		return strconv.AppendUint(buf, v.Uint(), 10), true
	}
	return strconv.AppendFloat(buf, v.Float(), 'g', -1, v.Type().Bits()), true
}
