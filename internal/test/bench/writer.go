package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

// The writer's table: goroutines that each insert one row durably, again and again,
// through it and as people do it by hand.

const insertRow = "INSERT INTO t (v) VALUES (?)"

// writerRounds is how often the ways take turns; each turn is writerTurns long.
const (
	writerRounds = 7
	writerTurns  = 5
)

// writerGoals are the most that a row may take through the writer, in terms of the best
// bare way, and the 99th percentile of the wait; with synchronous=FULL.
var writerGoals = map[int][2]float64{1: {1.1, 0}, 8: {0.3, 0}, 64: {0.055, 0.05}, 512: {0.02, 0.05}}

// A way inserts a row. Its figures are of all its turns.
type way struct {
	name   string
	insert func(ctx context.Context) error
	close  func()
	bare   bool
	rates  []float64 // ns a row, for each turn
	waits  []time.Duration
}

// writers prints the table.
func writers(match *regexp.Regexp) error {
	const name = "writer: durable inserts"
	if !match.MatchString(name) {
		return nil
	}
	fmt.Printf("\n%-38s %10s %10s %10s %7s %7s\n", name, "rows/s", "p50", "p99", "ratio", "p99")
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		for _, goroutines := range []int{1, 8, 64, 512} {
			if err := writersOf(synchronous, goroutines); err != nil {
				return err
			}
		}
	}
	return besideWriters()
}

func writersOf(synchronous string, goroutines int) error {
	dir, err := os.MkdirTemp("", "aio-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ways, err := openWays(dir, synchronous)
	for _, w := range ways {
		defer w.close()
	}
	if err != nil {
		return err
	}
	rounds, length := writerRounds, writerTurns**turn
	if *quick {
		rounds, length = 1, *turn
	}
	for r := range rounds {
		for i := range ways {
			w := ways[(i+r)%len(ways)]
			rate, waits, err := insertFor(length, goroutines, w.insert)
			if err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			w.rates, w.waits = append(w.rates, rate), append(w.waits, waits...)
		}
	}
	best, p99 := 0.0, time.Duration(0)
	for _, w := range ways {
		slices.Sort(w.waits)
		if m := median(w.rates); w.bare && (best == 0 || m < best) {
			best, p99 = m, w.waits[len(w.waits)*99/100]
		}
	}
	for _, w := range ways {
		m, at50, at99 := median(w.rates), w.waits[len(w.waits)/2], w.waits[len(w.waits)*99/100]
		fmt.Printf("%-38s %10.0f %10s %10s", fmt.Sprintf("%s, %d goroutines, %s", synchronous, goroutines, w.name), 1e9/m, duration(float64(at50)), duration(float64(at99)))
		if !w.bare && w.name != "floor" {
			fmt.Printf(" %7.3f %7.3f", m/best, float64(at99)/float64(p99))
			if g, ok := writerGoals[goroutines]; ok && synchronous == "FULL" {
				fmt.Printf("  goals %.3g, %.3g", g[0], g[1])
			}
		}
		fmt.Println()
	}
	return nil
}

// openWays opens the ways, each on a file of its own.
func openWays(dir, synchronous string) (ways []*way, err error) {
	dsn := func(name string) string {
		return sqlite3.ServerDSN(filepath.Join(dir, name+".db"), "_synchronous="+synchronous, "_busy_timeout=60000")
	}
	open := func(name string, conns int) (*sql.DB, error) {
		db, err := sql.Open("sqlite3", dsn(name))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		_, err = db.Exec("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)")
		return db, err
	}
	pool := func(name string, conns int) error {
		db, err := open(name, conns)
		if err != nil {
			return err
		}
		ways = append(ways, &way{name: name, bare: true, close: func() { db.Close() }, insert: func(ctx context.Context) error {
			_, err := db.ExecContext(ctx, insertRow, "a row of usual length")
			return err
		}})
		return nil
	}
	if err := pool("pool of 1", 1); err != nil {
		return ways, err
	}
	if err := pool("pool of 64", 64); err != nil {
		return ways, err
	}
	db, err := open("mutex", 2)
	if err != nil {
		return ways, err
	}
	var mu sync.Mutex
	ways = append(ways, &way{name: "mutex", bare: true, close: func() { db.Close() }, insert: func(ctx context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		_, err := db.ExecContext(ctx, insertRow, "a row of usual length")
		return err
	}})
	many, err := open("floor", 1)
	if err != nil {
		return ways, err
	}
	ways = append(ways, &way{name: "floor", close: func() { many.Close() }, insert: thousandRows(many)})
	e, err := overlay.Open("sqlite3", dsn("writer"), overlay.WithWriter())
	if err != nil {
		return ways, err
	}
	ways = append(ways, &way{name: "writer", close: func() { e.Shutdown(context.Background()) }, insert: func(ctx context.Context) error {
		_, err := e.ExecAsync(ctx, insertRow, "a row of usual length").Await(ctx)
		return err
	}})
	_, err = e.ExecAsync(context.Background(), "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)").Await(context.Background())
	return ways, err
}

// thousandRows is the floor: every 1,000 rows are one transaction, and nobody waits for it.
func thousandRows(db *sql.DB) func(context.Context) error {
	var mu sync.Mutex
	var tx *sql.Tx
	var insert *sql.Stmt
	n := 0
	return func(context.Context) (err error) {
		mu.Lock()
		defer mu.Unlock()
		if tx == nil {
			if tx, err = db.Begin(); err == nil {
				insert, err = tx.Prepare(insertRow)
			}
		}
		if err == nil {
			_, err = insert.Exec("a row of usual length")
		}
		if n++; n%1000 == 0 && err == nil {
			err = tx.Commit()
			tx = nil
		}
		return err
	}
}

// insertFor has goroutines insert for a while. It returns nanoseconds per row, and how
// long each insert took.
func insertFor(length time.Duration, goroutines int, insert func(context.Context) error) (rate float64, waits []time.Duration, err error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	start := time.Now()
	for range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			var own []time.Duration
			var failed error
			for failed == nil && (len(own) == 0 || time.Since(start) < length) {
				begun := time.Now()
				failed = insert(context.Background())
				own = append(own, time.Since(begun))
			}
			mu.Lock()
			defer mu.Unlock()
			waits = append(waits, own...)
			if failed != nil {
				err = failed
			}
		}()
	}
	all.Wait()
	return float64(time.Since(start)) / float64(len(waits)), waits, err
}

// besideWriters compares how long readers wait with and without 64 writers.
func besideWriters() error {
	dir, err := os.MkdirTemp("", "aio-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	e, err := overlay.Open("sqlite3", sqlite3.ServerDSN(filepath.Join(dir, "a.db")), overlay.WithWriter())
	if err != nil {
		return err
	}
	defer e.Shutdown(ctx)
	if err := fill(e.SyncDB()); err != nil {
		return err
	}
	if _, err := e.ExecAsync(ctx, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)").Await(ctx); err != nil {
		return err
	}
	read := func(ctx context.Context) error {
		time.Sleep(time.Millisecond)
		_, err := overlay.Scalar[string](ctx, e, "select name from bench where id = ?", nextKey()).Await(ctx)
		return err
	}
	rounds, length := writerRounds, writerTurns**turn
	if *quick {
		rounds, length = 1, *turn
	}
	var p99s [2][]float64
	for range rounds {
		for with := range 2 {
			var stop atomic.Bool
			var all sync.WaitGroup
			for range 64 * with {
				all.Add(1)
				go func() {
					defer all.Done()
					for !stop.Load() {
						e.ExecAsync(ctx, insertRow, "a row of usual length").Await(ctx)
					}
				}()
			}
			_, waits, err := insertFor(length, 4, read)
			stop.Store(true)
			all.Wait()
			if err != nil {
				return err
			}
			slices.Sort(waits)
			p99s[with] = append(p99s[with], float64(waits[len(waits)*99/100]-time.Millisecond))
		}
	}
	alone, beside := median(p99s[0]), median(p99s[1])
	fmt.Printf("%-38s %21s %10s %7.2f   goal 2\n", "readers' p99: alone, beside 64 writers", duration(alone), duration(beside), beside/alone)
	return nil
}
