// Command bench measures what the shim costs: the same work through the bare
// driver and through aio, in one process, in turns, and prints medians, their
// ratio, and allocations. `make bench` runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

var (
	quick  = flag.Bool("quick", false, "one short pass over everything, to see that it works")
	only   = flag.String("run", "", "only cases whose name matches this regular expression")
	rounds = flag.Int("rounds", 21, "how often bare and aio take turns")
	best   = flag.Bool("best", false, "compare the fastest turns instead of the medians, on a machine that does other work too")
	turn   = flag.Duration("turn", 40*time.Millisecond, "how long a turn lasts, about")
)

func main() {
	flag.Parse()
	if *quick {
		*rounds, *turn = 1, time.Millisecond
	}
	match := regexp.MustCompile(*only)
	fmt.Printf("%s %s/%s, %d CPUs, GOMAXPROCS %d, %d rounds of %v\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), *rounds, *turn)
	fmt.Printf("%-52s %10s %10s %7s %6s %8s %8s\n", "work", "bare", "aio", "ratio", "goal", "allocs", "+allocs")
	failed := false
	for _, c := range cases() {
		if !match.MatchString(c.name) {
			continue
		}
		if err := c.measure(); err != nil {
			fmt.Printf("%-52s %v\n", c.name, err)
			failed = failed || err != errSkipped
		}
	}
	if *only == "" {
		if err := idle(); err != nil {
			fmt.Println("idle connections:", err)
			failed = true
		}
	}
	if err := writers(match); err != nil {
		fmt.Println("writers:", err)
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}

// A side is one of the two things compared. Its op does the work n times.
type side struct {
	op    func(n int) error
	close func()
}

// A comparison is one line of the table.
type comparison struct {
	name string
	goal float64 // the most that aio/bare should be; 0: no goal
	open func() (bare, aio side, err error)
}

func (c comparison) measure() error {
	bare, aio, err := c.open()
	if err != nil {
		return err
	}
	defer bare.close()
	defer aio.close()
	n, err := calibrate(bare)
	if err != nil {
		return err
	}
	var times, allocs [2][]float64
	for r := range *rounds {
		for i := range 2 {
			k := (i + r) % 2 // who begins changes from round to round
			t, a, err := run([2]side{bare, aio}[k], n)
			if err != nil {
				return err
			}
			times[k] = append(times[k], t)
			allocs[k] = append(allocs[k], a)
		}
	}
	typical := median
	if *best {
		typical = slices.Min[[]float64]
	}
	b, a := typical(times[0]), typical(times[1])
	goal := ""
	if c.goal > 0 {
		goal = fmt.Sprintf("%.1f", c.goal)
	}
	ba, aa := median(allocs[0]), median(allocs[1])
	fmt.Printf("%-52s %10s %10s %7.2f %6s %8.1f %+8.1f\n", c.name, duration(b), duration(a), a/b, goal, ba, aa-ba)
	return nil
}

// calibrate finds how often the work fits into a turn.
func calibrate(s side) (int, error) {
	for n := 1; ; n *= 2 {
		t, _, err := run(s, n)
		if err != nil || time.Duration(t*float64(n)) > *turn/2 || n > 1<<22 {
			return n, err
		}
	}
}

// run returns nanoseconds and allocations per piece of work.
func run(s side, n int) (float64, float64, error) {
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := s.op(n)
	spent := time.Since(start)
	runtime.ReadMemStats(&after)
	return float64(spent) / float64(n), float64(after.Mallocs-before.Mallocs) / float64(n), err
}

func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return fmt.Sprintf("%.0f ns", ns)
	case ns < 1e6:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	}
	return fmt.Sprintf("%.2f ms", ns/1e6)
}
