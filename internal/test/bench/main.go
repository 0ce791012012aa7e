// Command bench measures what the shim costs: the same work through the bare
// driver and through aio, in one process, in turns, and prints medians, their
// ratio, and allocations. `make bench` runs it.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

var (
	quick    = flag.Bool("quick", false, "one short pass over everything, to see that it works")
	only     = flag.String("rows", "", "only rows whose name matches this regular expression")
	rounds   = flag.Int("rounds", 21, "how often bare and aio take turns")
	best     = flag.Bool("best", false, "compare the fastest turns instead of the medians, on a machine that does other work too")
	turn     = flag.Duration("turn", 40*time.Millisecond, "how long a turn lasts, about")
	procs    = flag.String("procs", "", "values of GOMAXPROCS, with commas; each gets a table (default: as it is)")
	markdown = flag.Bool("markdown", false, "print the table as the README has it")
)

func main() {
	if burning() {
		return
	}
	flag.Parse()
	if *quick {
		*rounds, *turn = 1, time.Millisecond
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: -rows:", err)
		os.Exit(2)
	}
	failed := false
	for _, p := range strings.Split(cmp.Or(*procs, fmt.Sprint(runtime.GOMAXPROCS(0))), ",") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "bench: -procs: %q is not a number of processors\n", p)
			os.Exit(2)
		}
		runtime.GOMAXPROCS(n)
		failed = table(match) || failed
	}
	if err := writers(match); err != nil {
		fmt.Println("writers:", err)
		failed = true
	}
	if failed {
		os.Exit(1)
	}
}

// table measures all rows that match and reports whether one failed.
func table(match *regexp.Regexp) (failed bool) {
	fmt.Printf("%s %s/%s, %d CPUs, GOMAXPROCS %d, %d rounds of %v\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), *rounds, *turn)
	printHead()
	all := append(cases(), overlayCases()...)
	all = append(all, thinkCases()...)
	all = append(all, busyCases()...)
	for _, c := range all {
		if !match.MatchString(c.name) {
			continue
		}
		if err := c.measure(); err != nil {
			fmt.Printf("%-60s %v\n", c.name, err)
			failed = failed || err != errSkipped
		}
	}
	for _, special := range []struct {
		name string
		run  func() error
	}{{"GC pauses", gcPauses}, {"idle connections", idle}} {
		if !match.MatchString(special.name) {
			continue
		}
		if err := special.run(); err != nil {
			fmt.Printf("%s: %v\n", special.name, err)
			failed = true
		}
	}
	fmt.Println()
	return failed
}
