package overlay

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// named turns arguments into what drivers take. Their conversion is the shim's
// business.
func named(args []any) ([]driver.NamedValue, error) {
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
		vs[i] = v
	}
	return vs, nil
}
