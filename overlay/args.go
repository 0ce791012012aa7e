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
		v.Value = own(v.Value, 0)
		vs[i] = v
	}
	return vs, nil
}

// deepest bounds the copying of arguments in arguments: a slice can contain itself.
const deepest = 4

// own returns a copy of an argument that its caller could change: bytes, slices and
// maps, what a pointer to one of these or to a plain value points to, and package
// sql's own Null types. Structs of other packages and other driver.Valuers are kept
// as they are: their Value is asked on the thread. So is what lies deeper than deepest.
func own(v any, depth int) any {
	if depth > deepest {
		return v
	}
	switch v := v.(type) {
	case nil, int, int64, string, bool, float64, time.Time, int32, uint64:
		return v
	case []byte:
		return bytes.Clone(v)
	case sql.Out:
		return v
	}
	rv := reflect.ValueOf(v)
	t := rv.Type()
	_, valuer := v.(driver.Valuer)
	switch {
	case t.Kind() == reflect.Pointer && rv.IsNil():
	case t.Kind() == reflect.Pointer && (ofSQL(t.Elem()) || !valuer && plain(t.Elem())):
		c := reflect.New(t.Elem())
		if inner := own(rv.Elem().Interface(), depth+1); inner != nil {
			c.Elem().Set(reflect.ValueOf(inner))
		}
		return c.Interface()
	case ofSQL(t) && t.Kind() == reflect.Struct:
		return ownNull(rv, depth+1)
	case valuer || rv.IsZero():
	case t.Kind() == reflect.Slice:
		c := reflect.MakeSlice(t, rv.Len(), rv.Len())
		reflect.Copy(c, rv)
		for i := range rv.Len() {
			ownInto(c.Index(i), rv.Index(i), depth+1)
		}
		return c.Interface()
	case t.Kind() == reflect.Map:
		c := reflect.MakeMapWithSize(t, rv.Len())
		for m := rv.MapRange(); m.Next(); {
			e := reflect.New(t.Elem()).Elem()
			e.Set(m.Value())
			ownInto(e, m.Value(), depth+1)
			c.SetMapIndex(m.Key(), e)
		}
		return c.Interface()
	}
	return v
}

// ownInto sets an element to its own copy if it is something that can be changed.
func ownInto(to, from reflect.Value, depth int) {
	switch from.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		if inner := own(from.Interface(), depth); inner != nil {
			to.Set(reflect.ValueOf(inner))
		}
	}
}

// ofSQL reports whether a type is one of package sql's, such as sql.NullString.
func ofSQL(t reflect.Type) bool { return t.PkgPath() == "database/sql" }

// plain reports whether values of a type can be copied.
func plain(t reflect.Type) bool {
	return t.Kind() != reflect.Struct || t == reflect.TypeFor[time.Time]()
}

// ownNull copies a Null type, whose one field beside Valid may hold bytes.
func ownNull(rv reflect.Value, depth int) any {
	c := reflect.New(rv.Type()).Elem()
	c.Set(rv)
	for i := range c.NumField() {
		if f := c.Field(i); f.CanSet() && f.Kind() != reflect.Bool && !f.IsZero() {
			f.Set(reflect.ValueOf(own(f.Interface(), depth)))
		}
	}
	return c.Interface()
}
