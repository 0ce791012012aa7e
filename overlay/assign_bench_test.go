package overlay_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// BenchmarkScan is what it costs to convert a row of one column.
func BenchmarkScan(b *testing.B) {
	for _, bm := range []struct {
		name      string
		src, dest any
	}{
		{"string to string", "ann", new(string)},
		{"bytes to string", []byte("ann"), new(string)},
		{"bytes to bytes", []byte("ann"), new([]byte)},
		{"time to time", time.Unix(0, 0), new(time.Time)},
		{"int64 to int64", int64(1000), new(int64)},
		{"int64 to int32", int64(1000), new(int32)},
		{"int64 to uint16", int64(1000), new(uint16)},
		{"bytes to int64", []byte("1000"), new(int64)},
		{"string to NullString", "ann", new(sql.NullString)},
		{"int64 to NullInt64", int64(1000), new(sql.NullInt64)},
		{"int64 to pointer", int64(1000), new(*int64)},
		{"NULL to pointer", nil, new(*int64)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			row := overlay.RowOf([]string{"c"}, bm.src)
			b.ReportAllocs()
			for b.Loop() {
				if err := row.Scan(bm.dest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCollect is what a row of a result costs as a struct, the query's share included.
func BenchmarkCollect(b *testing.B) {
	e := benchEngine(b, "sqlite3")
	type user struct {
		ID    int32
		Name  string
		Email sql.NullString
		Age   *int
	}
	const rows = 1000
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n%rows == 0 {
			_, err := overlay.Collect[user](background, e, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"+
				" SELECT i AS id, 'ann' AS name, 'a@x' AS email, 30 AS age FROM n", rows).Await(background)
			if err != nil {
				b.Fatal(err)
			}
		}
		n++
	}
}
