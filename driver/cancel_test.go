package driver_test

import (
	"strings"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/drivertest"
)

// The rows read ahead must not land on those that the caller has yet to take,
// however small the batches.
func TestReadingAheadKeepsSmallBatchesApart(t *testing.T) {
	for _, size := range []int{2, 3, 8, 16} {
		d := newCancelDriver(cancelKind{features: drivertest.Modern})
		db := d.openDB(aio.WithBatch(size, 1<<20))
		conn, _, _ := cancelConn(t, db)
		rows, err := conn.QueryContext(cancelBackground, "sets 2x50")
		must(t, err)
		rows.NextResultSet() // has two columns
		for want := 1; rows.Next(); want++ {
			cancelNumber(t, conn) // comes after the rows that are being read ahead
			var set, id int
			must(t, rows.Scan(&set, &id))
			if id != want {
				t.Fatalf("batches of %d: row %d is %d", size, want, id)
			}
		}
		must(t, rows.Err())
		must(t, rows.Close())
		must(t, conn.Close())
		must(t, db.Close())
	}
}

// A panic in rows that are read ahead waits until the caller comes to its row.
// Afterwards there are no more rows.
func TestPanicComesAtItsRow(t *testing.T) {
	for _, at := range []int{1, 2, 3, 5, 9} {
		d := newCancelDriver(cancelKind{features: drivertest.Modern})
		d.On("Rows.Next", drivertest.After(int64(at-1), drivertest.First(1, drivertest.Panic("boom"))))
		db := d.openDB()
		conn, _, _ := cancelConn(t, db)
		rows, err := conn.QueryContext(cancelBackground, "rows 10")
		must(t, err)
		read := 0
		func() {
			defer func() {
				if v := recover(); v != "boom" || read != at-1 {
					t.Errorf("panic at %d: recovered %v after %d rows", at, v, read)
				}
			}()
			for rows.Next() {
				read++
				cancelNumber(t, conn) // comes after the rows that are being read ahead
			}
		}()
		if rows.Next() {
			t.Errorf("panic at %d: a row after the panic", at)
		}
		must(t, rows.Close())
		must(t, conn.PingContext(cancelBackground))
		must(t, conn.Close())
		must(t, db.Close())
		d.check(t)
		if left := d.OpenObjects(); len(left) > 0 {
			t.Errorf("left open: %s", strings.Join(left, ", "))
		}
	}
}
