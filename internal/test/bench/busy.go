package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"time"
)

// burn is set in the environment of the processes that keep the processors busy.
const burn = "SQLAIO_BENCH_BURN"

// burning does what such a process does, until its parent ends.
func burning() bool {
	if os.Getenv(burn) == "" {
		return false
	}
	parent := os.Getppid()
	for os.Getppid() == parent {
		computing(time.Millisecond)
	}
	return true
}

// busyCases run beside one busy process for each processor.
func busyCases() []comparison {
	cs := []comparison{
		sqlite("insert in a transaction, all processors kept busy", goal{ratio: 3}, 1, plainContext, insertInTx),
		sqlite("point query, all processors kept busy", goal{ratio: 3}, 1, plainContext, pointQuery),
	}
	for i := range cs {
		open := cs[i].open
		cs[i].open = func() (bare, aio side, err error) {
			bare, aio, err = open()
			if err != nil {
				return bare, aio, err
			}
			stop, err := keepBusy()
			closeAio := aio.close
			aio.close = func() { stop(); closeAio() }
			return bare, aio, err
		}
	}
	return cs
}

// keepBusy starts a process for each processor that computes without end.
func keepBusy() (stop func(), err error) {
	var all []*exec.Cmd
	stop = func() {
		for _, c := range all {
			c.Process.Kill()
			c.Wait()
		}
	}
	self, err := os.Executable()
	if err != nil {
		return stop, err
	}
	for range runtime.NumCPU() {
		c := exec.Command(self)
		c.Env = append(os.Environ(), burn+"=1", "GOMAXPROCS=1")
		if err := c.Start(); err != nil {
			stop()
			return func() {}, err
		}
		all = append(all, c)
	}
	return stop, nil
}

// gcPauses prints how long the collector stops the program while connections are
// busy.
func gcPauses() error {
	dir, err := os.MkdirTemp("", "aio-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var sides [2]*sql.DB
	for i, dsn := range [2][2]string{{"sqlite3", ""}, {"aio", "sqlite3:"}} {
		db, err := sql.Open(dsn[0], dsn[1]+filepath.Join(dir, dsn[0]+".db"))
		if err != nil {
			return err
		}
		defer db.Close()
		if err := fill(db); err != nil {
			return err
		}
		sides[i] = db
	}
	for _, goroutines := range []int{1, 8} {
		var p50, p99 [2][]float64
		for range *rounds {
			for i, db := range sides {
				a, b, err := pausesBeside(db, goroutines)
				if err != nil {
					return err
				}
				p50[i], p99[i] = append(p50[i], a), append(p99[i], b)
			}
		}
		name := fmt.Sprintf("GC pauses beside %d busy connections", goroutines)
		printRow(name+": p50", goal{}, cost{time: median(p50[0])}, cost{time: median(p50[1])})
		printRow(name+": p99", goal{ratio: 1.2}, cost{time: median(p99[0])}, cost{time: median(p99[1])})
	}
	return nil
}

func pausesBeside(db *sql.DB, goroutines int) (p50, p99 float64, err error) {
	db.SetMaxIdleConns(goroutines)
	db.SetMaxOpenConns(goroutines)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, goroutines)
	for range goroutines {
		go func() {
			var err error
			for err == nil && ctx.Err() == nil {
				err = pointQuery(context.Background(), db, 1)
			}
			done <- err
		}()
	}
	before := gcPauseHistogram()
	for start := time.Now(); time.Since(start) < *turn; {
		runtime.GC()
	}
	after := gcPauseHistogram()
	cancel()
	for range goroutines {
		if e := <-done; e != nil {
			err = e
		}
	}
	for i := range after.Counts {
		after.Counts[i] -= before.Counts[i]
	}
	return quantile(after, 0.5), quantile(after, 0.99), err
}

func gcPauseHistogram() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: append([]uint64(nil), h.Counts...), Buckets: h.Buckets}
}

// quantile returns the upper bound of the bucket, in nanoseconds.
func quantile(h *metrics.Float64Histogram, at float64) float64 {
	total := uint64(0)
	for _, n := range h.Counts {
		total += n
	}
	seen := uint64(0)
	for i, n := range h.Counts {
		seen += n
		if n > 0 && float64(seen) >= at*float64(total) {
			return 1e9 * h.Buckets[min(i+1, len(h.Buckets)-2)]
		}
	}
	return 0
}
