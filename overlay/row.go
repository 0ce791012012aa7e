package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
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
// does it.
func (r Row) Scan(dest ...any) error {
	if len(dest) != len(r.values) {
		return fmt.Errorf("sql: expected %d destination arguments in Scan, not %d", len(r.values), len(dest))
	}
	for i, d := range dest {
		if !assign(d, r.values[i]) {
			return r.scanSlowly(dest)
		}
	}
	return nil
}

// assign does the common cases in which there is nothing to convert. What is wrong, as a
// nil pointer, is left to scanSlowly to refuse.
func assign(dest, value any) bool {
	switch d := dest.(type) {
	case *any:
		if d == nil {
			return false
		}
		if b, ok := value.([]byte); ok {
			value = slices.Clone(b)
		}
		*d = value
		return true
	case *int64:
		v, ok := value.(int64)
		if ok = ok && d != nil; ok {
			*d = v
		}
		return ok
	case *int:
		v, ok := value.(int64)
		if ok = ok && d != nil && int64(int(v)) == v; ok {
			*d = int(v)
		}
		return ok
	case *float64:
		v, ok := value.(float64)
		if ok = ok && d != nil; ok {
			*d = v
		}
		return ok
	case *bool:
		v, ok := value.(bool)
		if ok = ok && d != nil; ok {
			*d = v
		}
		return ok
	case *string:
		if d == nil {
			return false
		}
		switch v := value.(type) {
		case string:
			*d = v
			return true
		case []byte:
			*d = string(v)
			return true
		}
	}
	return false
}

// scanSlowly has database/sql convert the row: its rules are nowhere else to be
// had.
func (r Row) scanSlowly(dest []any) error {
	rows, err := scanConnection().QueryContext(context.Background(), "", scanRow(r))
	if err != nil {
		return err
	}
	defer rows.Close()
	rows.Next()
	return rows.Scan(dest...)
}

// scanConnection is a connection whose queries return the Row that is their
// argument. Its pool is closed, so that no goroutine is left of it.
var scanConnection = sync.OnceValue(func() *sql.Conn {
	db := sql.OpenDB(scanDriver{})
	defer db.Close()
	c, err := db.Conn(background)
	if err != nil {
		panic(err) // it cannot fail
	}
	return c
})

type scanRow Row

type scanDriver struct{}

func (scanDriver) Connect(context.Context) (driver.Conn, error) { return scanConn{}, nil }
func (d scanDriver) Driver() driver.Driver                      { return d }
func (scanDriver) Open(string) (driver.Conn, error)             { return scanConn{}, nil }

type scanConn struct{}

func (scanConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (scanConn) Close() error                             { return nil }
func (scanConn) Begin() (driver.Tx, error)                { return nil, driver.ErrSkip }
func (scanConn) CheckNamedValue(*driver.NamedValue) error { return nil }
func (scanConn) QueryContext(_ context.Context, _ string, args []driver.NamedValue) (driver.Rows, error) {
	r := args[0].Value.(scanRow)
	return &scanRows{r: r}, nil
}

type scanRows struct {
	r    scanRow
	over bool
}

func (s *scanRows) Columns() []string { return s.r.keys }
func (s *scanRows) Close() error      { return nil }
func (s *scanRows) Next(dest []driver.Value) error {
	if s.over {
		return io.EOF
	}
	s.over = true
	copy(dest, s.r.values)
	return nil
}
