package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// idle prints what connections cost that are open and have nothing to do: Go's
// heap per connection, and the processor time of all of them.
func idle() error {
	const conns = 100
	dir, err := os.MkdirTemp("", "aio-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("\n%-52s %10s %10s\n", fmt.Sprintf("%d idle connections to SQLite", conns), "bare", "aio")
	var heap, stacks, cpu [2]string
	for i, driver := range []string{"sqlite3", "aio"} {
		dsn := filepath.Join(dir, driver+".db")
		if driver == "aio" {
			dsn = "sqlite3:" + dsn
		}
		h, s, spent, err := idleConns(driver, dsn, conns)
		if err != nil {
			return err
		}
		heap[i], stacks[i] = fmt.Sprintf("%.1f KiB", h/1024), fmt.Sprintf("%.1f KiB", s/1024)
		cpu[i] = fmt.Sprintf("%.2f %%", 100*spent)
	}
	fmt.Printf("%-52s %10s %10s\n", "heap, each", heap[0], heap[1])
	fmt.Printf("%-52s %10s %10s\n", "stacks, each (32 KiB are the runtime's, a thread)", stacks[0], stacks[1])
	fmt.Printf("%-52s %10s %10s\n", "processor, all", cpu[0], cpu[1])
	return nil
}

// idleConns returns the bytes of heap and stack that each of n connections uses
// after a query, and the share of a processor that they use together.
func idleConns(driver, dsn string, n int) (heap, stacks, cpu float64, err error) {
	heapBefore, stacksBefore := memoryInUse()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return 0, 0, 0, err
	}
	defer db.Close()
	open := make([]*sql.Conn, n)
	for i := range open {
		if open[i], err = db.Conn(context.Background()); err != nil {
			return 0, 0, 0, err
		}
		if _, err = open[i].ExecContext(context.Background(), "select 1"); err != nil {
			return 0, 0, 0, err
		}
	}
	heapAfter, stacksAfter := memoryInUse()
	heap, stacks = float64(heapAfter-heapBefore)/float64(n), float64(stacksAfter-stacksBefore)/float64(n)
	start, used := time.Now(), cpuTime()
	time.Sleep(time.Second)
	cpu = float64(cpuTime()-used) / float64(time.Since(start))
	for _, c := range open {
		c.Close()
	}
	return heap, stacks, cpu, nil
}

func memoryInUse() (heap, stacks int64) {
	runtime.GC()
	runtime.GC() // also what finalizers and pools kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc), int64(m.StackInuse)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
