package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// most is how long a run of all scenarios may take.
const most = 10 * time.Minute

// A scenario is one kind of fault.
type scenario struct {
	name   string
	limit  time.Duration // after this it is killed, also with -short
	setUp  func(*child)  // what its process needs from birth, if anything
	run    func(context.Context, job, *report) error
	remark string
}

var scenarios = []scenario{
	{name: "sqlitekill", limit: 120 * time.Second, run: sqliteKill, remark: "a process that writes to SQLite is killed"},
	{name: "mariadbkill", limit: 120 * time.Second, run: mariadbKill, remark: "MariaDB is killed and restarted"},
	{name: "proxy", limit: 110 * time.Second, run: proxyFaults, remark: "the network drops, stalls and resets"},
	{name: "diskfull", limit: 60 * time.Second, run: diskFull, setUp: ownMounts, remark: "SQLite's disk is full"},
	{name: "descriptors", limit: 75 * time.Second, run: descriptorsRunOut, remark: "descriptors and threads run out"},
	{name: "storm", limit: 270 * time.Second, run: storm, remark: "all calls at once, cancelled and abandoned"},
}

func main() {
	if inChild() {
		os.Exit(childMain())
	}
	var (
		only  = flag.String("only", "", "run these scenarios alone, separated by commas")
		short = flag.Bool("short", false, "a few seconds each")
		seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "what chance starts from")
		ways  = flag.String("ways", "", "write only in the ways whose name matches this `regexp`")
		list  = flag.Bool("list", false, "list scenarios and ways")
	)
	flag.Parse()
	if *list {
		printList()
		return
	}
	if runtime.GOOS != "linux" {
		fmt.Fprintln(os.Stderr, "faults: needs Linux")
		os.Exit(2)
	}
	chosen, err := choose(*only)
	if err == nil {
		_, err = regexp.Compile(*ways)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, most)
	fmt.Printf("faults: seed %d (again: -seed %d)\n", *seed, *seed)
	reports := runAll(ctx, chosen, job{Seed: *seed, Short: *short, Ways: *ways, MariaDB: os.Getenv("SQLAIO_MARIADB")})
	cancel()
	stop()
	printTable(os.Stdout, reports)
	if slices.ContainsFunc(reports, (*report).bad) {
		os.Exit(1)
	}
}

// choose returns the scenarios of a list of names; all if it is empty.
func choose(names string) ([]scenario, error) {
	if names == "" {
		return scenarios, nil
	}
	var chosen []scenario
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario %q (see -list)", name)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}

// runAll runs scenarios one after the other. Once ctx has ended the rest fail.
func runAll(ctx context.Context, chosen []scenario, j job) []*report {
	var reports []*report
	for _, s := range chosen {
		fmt.Printf("%-12s %s\n", s.name, s.remark)
		begun := time.Now()
		r := s.inProcess(ctx, j)
		r.Took = time.Since(begun)
		r.print(os.Stdout)
		reports = append(reports, r)
	}
	return reports
}

func printList() {
	for _, s := range scenarios {
		fmt.Printf("%-12s %s\n", s.name, s.remark)
	}
	for _, w := range allWays() {
		fmt.Printf("  %s\n", w.name)
	}
}
