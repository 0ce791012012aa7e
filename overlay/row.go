package overlay

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// A Row is a row of a result. It is the caller's, and stays valid.
type Row struct {
	keys   []string
	values []driver.Value
}

// Keys returns the names of the columns.
func (r Row) Keys() []string { return slices.Clone(r.keys) }

// Values returns the values as the driver gave them: int64, float64, bool,
// []byte, string, time.Time, nil, or what else the driver has.
func (r Row) Values() []any {
	vs := make([]any, len(r.values))
	for i, v := range r.values {
		vs[i] = v
	}
	return vs
}

// Value returns the value of the first column of that name.
func (r Row) Value(key string) (value any, ok bool) {
	if i := slices.Index(r.keys, key); i >= 0 {
		return r.values[i], true
	}
	return nil, false
}

// String shows the row in one short line: long values, and those after the eighth,
// are cut.
func (r Row) String() string {
	const columns, width = 8, 32
	var b strings.Builder
	b.WriteString("overlay.Row(")
	for i, v := range r.values {
		if i > 0 {
			b.WriteString(", ")
		}
		if i == columns {
			b.WriteString("…")
			break
		}
		var text string
		switch v := v.(type) {
		case string:
			text = fmt.Sprintf("%.*q", width, v)
		case []byte:
			text = fmt.Sprintf("%.*q", width, v)
		default:
			text = fmt.Sprintf("%.*s", width, fmt.Sprint(v))
		}
		fmt.Fprintf(&b, "%.*s: %s", width, r.keys[i], text)
	}
	b.WriteByte(')')
	return b.String()
}

// Scan copies the values into what dest points to, converted as sql.Rows.Scan
// does it. Bytes are copied too, except into sql.RawBytes and for a Scanner: those
// share the row's and must not change them.
func (r Row) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("sql: expected %d destination arguments in Scan, not %d", len(r.values), len(dest))
	}
	for i, d := range dest {
		if err := assign(d, r.values[i]); err != nil {
			return fmt.Errorf("sql: Scan error on column index %d, name %q: %w", i, r.keys[i], err)
		}
	}
	return nil
}
