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
