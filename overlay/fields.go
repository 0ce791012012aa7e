package overlay

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// isRecord reports whether T is a struct whose fields are columns.
func isRecord[T any]() bool {
	t := reflect.TypeFor[T]()
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() && !ofSQL(t)
}

// layouts holds the fields of structs by their columns' names: type to layout.
var layouts sync.Map

type layout map[string][]int

// layoutOf returns the fields of a struct by their names in lower case.
func layoutOf(t reflect.Type) layout {
	if l, ok := layouts.Load(t); ok {
		return l.(layout)
	}
	l := make(layout)
	for _, f := range reflect.VisibleFields(t) {
		tag, tagged := f.Tag.Lookup("db")
		if !f.IsExported() || tag == "-" || f.Anonymous && !tagged && f.Type.Kind() == reflect.Struct || byPointer(t, f.Index) {
			continue
		}
		name := strings.ToLower(f.Name)
		if tagged && tag != "" {
			name = strings.ToLower(tag)
		}
		l[name] = f.Index
	}
	layouts.Store(t, l)
	return l
}

// byPointer reports whether the way to a field goes through a pointer, which may
// be nil.
func byPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return true
		}
	}
	return false
}

// fieldsFor returns the fields of a struct for columns.
func fieldsFor(t reflect.Type, columns []string) ([][]int, error) {
	fields := layoutOf(t)
	found := make(map[string]bool, len(columns))
	indexes := make([][]int, len(columns))
	for i, c := range columns {
		name := strings.ToLower(c)
		index, ok := fields[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("overlay: column %q has no field in %v: add one, give it the tag `db:%q`, or select less", c, t, c)
		case found[name]:
			return nil, fmt.Errorf("overlay: two columns have the name %q: name them with AS", c)
		}
		found[name] = true
		indexes[i] = index
	}
	if len(found) == len(fields) {
		return indexes, nil
	}
	var missing []string
	for _, f := range reflect.VisibleFields(t) { // in their order
		for name, index := range fields {
			if !found[name] && fmt.Sprint(index) == fmt.Sprint(f.Index) {
				missing = append(missing, f.Name)
			}
		}
	}
	return nil, fmt.Errorf("overlay: no column for %v's fields %s: select them, or give them the tag `db:\"-\"`", t, strings.Join(missing, ", "))
}
