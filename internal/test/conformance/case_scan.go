package conformance

import (
	"database/sql"
	"fmt"
	"time"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func scanCases() []Case {
	kinds := []dt.Features{dt.Minimal, dt.LikeSQLite, dt.LikeMySQL, dt.Modern}
	return []Case{
		{Name: "Scan/Conversions", On: kinds, Body: scanConversions},
		{Name: "Scan/Scanner", On: kinds, Body: scanScanner},
		{Name: "Scan/Any", On: kinds, Body: scanAny},
	}
}

// scanValues come back from the driver as they are.
func scanValues() []any {
	return []any{
		nil, int64(0), int64(1), int64(-300), int64(70000), 0.0, 1.0, 1.5, 300.0, true, false,
		"", "1", "-7", "1.5", "true", "text", "2001-02-03", []byte("1"), []byte("raw"), []byte{}, dt.Epoch,
	}
}

// scanDests are fresh destinations of every type.
func scanDests() []any {
	return []any{
		new(string), new([]byte), new(sql.RawBytes), new(any), new(bool), new(int), new(int8), new(int64), new(uint), new(uint8),
		new(float32), new(float64), new(time.Time), new(*string), new(*int), new(text), new(number), new(blob), new(time.Duration),
		new(sql.NullString), new(sql.NullInt64), new(sql.NullInt32), new(sql.NullInt16), new(sql.NullByte), new(sql.NullFloat64),
		new(sql.NullBool), new(sql.NullTime), new(sql.Null[string]), new(sql.Null[time.Time]), new(struct{}), new(sql.Rows),
	}
}

// scanConversions scans every value into every type.
func scanConversions(e *Env) {
	for _, v := range scanValues() {
		rows, err := e.DB.Query("echo ?", v)
		if e.Err("Query", err) {
			continue
		}
		e.See("value", v, rows.Next())
		var skip any
		for _, dest := range scanDests() {
			err := rows.Scan(&skip, &skip, &skip, dest)
			e.See(fmt.Sprintf("into %T", dest), err)
			switch d := dest.(type) {
			case *sql.Rows:
				continue // has locks: not to be looked at
			case *sql.RawBytes:
				e.See("raw", string(*d))
				e.See("Next", rows.Next()) // gives the memory back
				rows, err = e.DB.Query("echo ?", v)
				e.Err("Query", err)
				e.See("Next", rows.Next())
			default:
				e.See("scanned", dest)
			}
		}
		e.Err("not a pointer", rows.Scan(&skip, &skip, &skip, 5))
		e.Err("nil", rows.Scan(&skip, &skip, &skip, nil))
		e.Err("Close", rows.Close())
	}
}

// scanner is a sql.Scanner that keeps what it was given, and may refuse it.
type scanner struct {
	got any
	err error
}

func (s *scanner) Scan(v any) error {
	if b, ok := v.([]byte); ok {
		v = append([]byte(nil), b...)
	}
	s.got = v
	return s.err
}

func scanScanner(e *Env) {
	for _, v := range scanValues() {
		for _, err := range []error{nil, dt.ErrScripted} {
			s := &scanner{err: err}
			var skip any
			e.Err("Scan", e.DB.QueryRow("echo ?", v).Scan(&skip, &skip, &skip, s))
			e.See("got", s.got)
		}
	}
}

// scanAny keeps the values of all rows, which must not share memory.
func scanAny(e *Env) {
	for _, query := range []string{"rows 3", "rows 3 reuse", "rows 300 reuse size 64"} {
		rows, err := e.DB.Query(query)
		if e.Err("Query", err) {
			continue
		}
		var all []any
		for rows.Next() {
			values := make([]any, 7)
			e.Err("Scan", rows.Scan(&values[0], &values[1], &values[2], &values[3], &values[4], &values[5], &values[6]))
			all = append(all, values...)
		}
		e.See("all", all...)
	}
}
