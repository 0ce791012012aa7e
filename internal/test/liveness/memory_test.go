package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

const mib = 1 << 20

// heap returns the bytes that are in use after a collection.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first one empties pools, the second frees what was in them
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// keeps fails the test if the heap has grown by most bytes or more since before.
func keeps(t testing.TB, what string, before, most int64) {
	t.Helper()
	grown := heap() - before
	t.Logf("%s: %.1f MiB", what, float64(grown)/mib)
	if grown >= most {
		t.Errorf("%s: %.1f MiB, not less than %d", what, float64(grown)/mib, most/mib)
	}
}

// bigRows is a query of many rows of 64 KiB.
const bigRows = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 300) SELECT randomblob(65536), hex(randomblob(1000)) FROM c"

// drain reads a query's rows.
func drain(ctx context.Context, c *sql.Conn, query string) error {
	rows, err := c.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b sql.RawBytes
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
	}
	return rows.Err()
}

func TestIdleConnectionsKeepNoRows(t *testing.T) {
	alone(t)
	const conns = 10
	db := openAio(t, "sqlite3:"+newFile(t))
	db.SetMaxIdleConns(conns)
	t.Cleanup(func() { closeDB(t, db) })
	read := func(query string) {
		var all []*sql.Conn
		var wg sync.WaitGroup
		for range conns {
			c, err := db.Conn(bounded(t))
			noError(t, "Conn", err)
			all = append(all, c)
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := drain(bounded(t), c, query); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		for _, c := range all {
			noError(t, "Close", c.Close())
		}
		if n := db.Stats().Idle; n != conns {
			t.Fatalf("%d idle connections", n)
		}
	}
	read("SELECT 1, 2")
	before := heap()
	read(bigRows)
	keeps(t, "ten idle connections", before, 20*mib)
}

func TestIdleLanesAndConnsKeepNoRows(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(4))
	var conns []*overlay.Conn
	for range 6 {
		conns = append(conns, connect(t, e))
	}
	read := func(query string) {
		var fs []*overlay.Future[*overlay.Result]
		for range 8 {
			fs = append(fs, e.QueryAsync(bounded(t), query))
		}
		for _, c := range conns {
			fs = append(fs, c.QueryAsync(bounded(t), query))
		}
		for _, f := range fs {
			r := value(t, "QueryAsync", f)
			value(t, "FetchAllAsync", r.FetchAllAsync(bounded(t)))
		}
	}
	read("SELECT 1, 2")
	before := heap()
	read(bigRows)
	keeps(t, "idle lanes and connections", before, 20*mib)
	for _, c := range conns {
		outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
	}
}

// blobs are queries whose rows are big in different ways.
var blobs = map[string]string{
	"blobs of 1 MiB":   "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500) SELECT zeroblob(1048576) FROM c",
	"texts of 1 MiB":   "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500) SELECT hex(zeroblob(524288)) FROM c",
	"many short texts": "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500) SELECT " + strings.Repeat("hex(zeroblob(500)), ", 999) + "1 FROM c",
	"many numbers":     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 500) SELECT " + strings.Repeat("n * 1000, ", 1999) + "1 FROM c",
}

// atMost looks for some time whether reading ahead takes too much.
func atMost(t testing.TB, what string, before, most int64) {
	t.Helper()
	var grown int64
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		grown = max(grown, heap()-before)
	}
	t.Logf("%s: %.1f MiB", what, float64(grown)/mib)
	if grown >= most {
		t.Errorf("%s: %.1f MiB, not less than %d", what, float64(grown)/mib, most/mib)
	}
}

func TestReadingAheadIsBoundedInBytes(t *testing.T) {
	for name, query := range blobs {
		t.Run(name, func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t))
			t.Cleanup(func() { closeDB(t, db) })
			noError(t, "Ping", db.PingContext(bounded(t)))
			before := heap()
			rows, err := db.QueryContext(bounded(t), query)
			noError(t, "QueryContext", err)
			atMost(t, "rows with nothing fetched", before, 32*mib)
			for _, n := range []int{1, 60} {
				for range n {
					rows.Next()
				}
				atMost(t, fmt.Sprintf("rows with %d more fetched", n), before, 32*mib)
			}
			noError(t, "Close", within(t, soon, "Close", rows.Close))
		})
	}
}

// wide is a query of 2,000 columns, SQLite's limit.
var wide = func() string {
	var b strings.Builder
	b.WriteString("SELECT 0 AS c0")
	for i := 1; i < 2000; i++ {
		fmt.Fprintf(&b, ", %d AS c%d", i, i)
	}
	return b.String()
}()

// allocated returns how many bytes fn allocates.
func allocated(fn func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

func TestARowOfManyColumnsCostsLittle(t *testing.T) {
	query := func(t *testing.T, q interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}) {
		t.Helper()
		rows, err := q.QueryContext(bounded(t), wide)
		noError(t, "QueryContext", err)
		defer rows.Close()
		for rows.Next() {
		}
		noError(t, "the rows", rows.Err())
	}
	check := func(t *testing.T, n int64) {
		t.Helper()
		t.Logf("%.2f MiB", float64(n)/mib)
		if n >= 4*mib {
			t.Errorf("%.1f MiB for a row of 2,000 columns", float64(n)/mib)
		}
	}
	t.Run("database/sql", func(t *testing.T) {
		alone(t)
		db := openAio(t, "sqlite3:"+newFile(t))
		t.Cleanup(func() { closeDB(t, db) })
		noError(t, "Ping", db.PingContext(bounded(t)))
		check(t, allocated(func() { query(t, db) }))
	})
	t.Run("QueryAsync", func(t *testing.T) {
		alone(t)
		e := openFile(t)
		works(t, e)
		check(t, allocated(func() { value(t, "QueryAsync", e.QueryAsync(bounded(t), wide)) }))
	})
	t.Run("a function", func(t *testing.T) {
		alone(t)
		e := openFile(t)
		works(t, e)
		check(t, allocated(func() {
			value(t, "the function", overlay.RunInThread(bounded(t), e, func(_ context.Context, c *sql.Conn) (int, error) {
				query(t, c)
				return 1, nil
			}))
		}))
	})
}

// Rows of many columns are read ahead in fewer rows, not in more memory.
func TestReadingManyColumnsKeepsLittle(t *testing.T) {
	alone(t)
	db := openAio(t, "sqlite3:"+newFile(t))
	t.Cleanup(func() { closeDB(t, db) })
	noError(t, "Ping", db.PingContext(bounded(t)))
	before := heap()
	rows, err := db.QueryContext(bounded(t), blobs["many numbers"])
	noError(t, "QueryContext", err)
	defer rows.Close()
	var most int64
	for n := 0; rows.Next(); n++ {
		if n%50 == 0 {
			most = max(most, heap()-before)
		}
	}
	noError(t, "the rows", rows.Err())
	t.Logf("%.1f MiB", float64(most)/mib)
	if most >= 8*mib {
		t.Errorf("reading rows of 2,000 columns keeps %.1f MiB", float64(most)/mib)
	}
}
