package overlay_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// BenchmarkDurableInserts has goroutines insert one row each time, synchronous=FULL, and
// reports rows/s and how long a caller waits.
func BenchmarkDurableInserts(b *testing.B) {
	const params, query = "?_journal=WAL&_sync=2&_busy_timeout=10000", "INSERT INTO t (v) VALUES ('a row of usual length')"
	for _, goroutines := range []int{1, 8, 64, 512} {
		b.Run(fmt.Sprint("bare/", goroutines), func(b *testing.B) {
			db, err := sql.Open("sqlite3", filepath.Join(b.TempDir(), "a.db")+params)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			db.Exec("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)")
			insertDurably(b, goroutines, func() error { return second(db.Exec(query)) })
		})
		b.Run(fmt.Sprint("writer/", goroutines), func(b *testing.B) {
			e, err := overlay.Open("sqlite3", filepath.Join(b.TempDir(), "a.db")+params, overlay.WithWriter())
			if err != nil {
				b.Fatal(err)
			}
			defer e.Shutdown(background)
			e.ExecAsync(background, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)").Await(background)
			insertDurably(b, goroutines, func() error { return second(e.ExecAsync(background, query).Await(background)) })
		})
	}
}

func insertDurably(b *testing.B, goroutines int, insert func() error) {
	waits := make([]time.Duration, b.N)
	var all sync.WaitGroup
	b.ResetTimer()
	for g := range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := g; i < b.N; i += goroutines {
				start := time.Now()
				if err := insert(); err != nil {
					b.Error(err)
					return
				}
				waits[i] = time.Since(start)
			}
		}()
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(waits[b.N/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(waits[b.N*99/100].Microseconds()), "p99-µs")
}
