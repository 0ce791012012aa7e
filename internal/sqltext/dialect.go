package sqltext

import (
	"database/sql/driver"
	"reflect"
	"strings"
)

// A Dialect says how text is cut into tokens.
type Dialect uint8

// The dialects. Unknown reads what most have in common, and marks tokens whose end
// depends on the dialect as Doubtful.
const (
	Unknown Dialect = iota
	SQLite
	MySQL // MariaDB too
	PostgreSQL
)

// DialectOf recognises a driver by the package of its type. It also returns the type's
// name.
func DialectOf(d driver.Driver) (dialect Dialect, name string) {
	for {
		u, ok := d.(interface{ Unwrap() driver.Driver })
		if !ok {
			break
		}
		d = u.Unwrap()
	}
	t := reflect.TypeOf(d)
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil {
		return Unknown, ""
	}
	for _, known := range []struct {
		part    string
		dialect Dialect
	}{
		{"sqlite", SQLite}, {"mysql", MySQL}, {"mariadb", MySQL},
		{"/pgx/", PostgreSQL}, {"lib/pq", PostgreSQL}, {"postgres", PostgreSQL},
	} {
		if strings.Contains(t.PkgPath(), known.part) {
			return known.dialect, t.String()
		}
	}
	return Unknown, t.String()
}

var dialects = [...]Dialect{SQLite, MySQL, PostgreSQL}

// readings returns the dialects that a text may be in.
func (d Dialect) readings() []Dialect {
	if d == Unknown {
		return dialects[:]
	}
	return dialects[d-1 : d]
}
