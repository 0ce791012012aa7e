//go:build cgo

package overlay_test

import (
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// countingDB opens a file whose connections have a function seen(i), which takes a while, counts
// its calls and returns i.
func countingDB(t *testing.T, seen *atomic.Int64, takes time.Duration) *sql.DB {
	d := aio.Wrap(&sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("seen", func(i int64) int64 { time.Sleep(takes); seen.Add(1); return i }, false)
	}})
	c, err := d.(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

// The first rows of a slow query are there although the last one never comes, and closing the
// stream does not wait for that.
func TestStreamGivesSlowRowsAsTheyCome(t *testing.T) {
	firstRowsComeEarly(t, 2*time.Millisecond)
}

func firstRowsComeEarly(t *testing.T, takes time.Duration) {
	var seen atomic.Int64
	e := overlay.New(countingDB(t, &seen, takes), overlay.WithLanes(1))
	r := must(t, e.StreamAsync(background, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 8)
		SELECT i, CASE WHEN i < 8 THEN seen(i) ELSE
			(SELECT count(*) FROM (WITH RECURSIVE m(j) AS (SELECT seen(n.i) UNION ALL SELECT j + 1 FROM m) SELECT j FROM m))
		END FROM n`))
	for want := int64(1); want < 8; want++ {
		if row := must(t, r.FetchOneAsync(background)); row.Values()[0] != want {
			t.Fatalf("row %v, want %d", row.Values(), want)
		}
	}
	until(t, "the row that never comes", func() bool { return seen.Load() == 8 })
	start := time.Now()
	must(t, r.CloseAsync(background))
	soon(t, start)
	wantError(t, failure(t, r.FetchOneAsync(background)), overlay.ErrClosed)
	noError(t, e.Shutdown(background))
}

// What is read ahead is bounded in rows, and in bytes: 256 and 1 MiB, and the row that
// reaches it.
func TestStreamReadsAheadWithinItsBounds(t *testing.T) {
	for name, c := range map[string]struct {
		columns string
		ahead   int64
	}{
		"small rows": {"seen(i)", 256},
		"large rows": {"seen(i), zeroblob(65536)", 16},
	} {
		t.Run(name, func(t *testing.T) {
			var seen atomic.Int64
			e := overlay.New(countingDB(t, &seen, 0), overlay.WithLanes(1))
			conn := must(t, e.ConnectAsync(background))
			r := must(t, conn.StreamAsync(background, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "+c.columns+" FROM n"))
			for fetched := int64(1); fetched < 4*c.ahead; fetched++ {
				must(t, r.FetchOneAsync(background))
				must(t, conn.ScalarAsync(background, "SELECT 1")) // after what is being read ahead
				if n := seen.Load() - fetched; n > c.ahead+1 {
					t.Fatalf("%d rows were read ahead, want at most %d", n, c.ahead)
				}
			}
			must(t, r.CloseAsync(background))
			must(t, conn.CloseAsync(background))
			noError(t, e.Shutdown(background))
		})
	}
}
