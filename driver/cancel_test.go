package driver_test

import (
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
