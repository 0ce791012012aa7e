package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

// A baseline is what the process holds before a scenario opens anything.
type baseline struct {
	goroutines, workers, threads int
	descriptors                  map[int]string
}

// spareThreads is by how many threads the process may grow. The Go runtime keeps
// those that it has made for goroutines in system calls and in C; workers are
// counted exactly.
const spareThreads = 24

func takeBaseline() baseline {
	spawner()                                                   // its goroutine lasts,
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { // and so does the network poller
		l.Close()
	}
	return measure()
}

func measure() baseline {
	return baseline{runtime.NumGoroutine(), workers(), threads(), descriptors()}
}

// workers returns how many workers of threadpin the process has: the smallest
// limit that lets another one start tells.
func workers() int {
	for n := 1; ; n++ {
		w, err := threadpin.Start(threadpin.WithMaxThreads(n))
		if err == nil {
			w.Quit()
			return n - 1
		}
		if n > 2000 {
			return -1
		}
	}
}

// check adds to r what is left over, once it has had time to go.
func (b baseline) check(r *report) { b.checkFor(8*time.Second, r) }

// checkFor is check with the time that it takes to go.
func (b baseline) checkFor(limit time.Duration, r *report) {
	var now baseline
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		runtime.GC() // what was dropped on purpose is closed by its finalizer
		now = measure()
		if b.covers(now) {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	leak := func(what string, before, after, spare int) {
		if after > before+spare {
			r.Leaked += after - before
			r.notef("leaked: %s, %d before, %d after", what, before, after)
		}
	}
	leak("goroutines", b.goroutines, now.goroutines, 0)
	leak("workers", b.workers, now.workers, 0)
	leak("threads", b.threads, now.threads, spareThreads)
	leak("descriptors", len(b.descriptors), len(now.descriptors), 0)
	if len(now.descriptors) > len(b.descriptors) {
		r.notef("new descriptors: %s", strings.Join(b.newDescriptors(now), ", "))
	}
	if now.goroutines > b.goroutines {
		printGoroutines("left over")
	}
}

func (b baseline) covers(now baseline) bool {
	return now.goroutines <= b.goroutines && now.workers <= b.workers &&
		now.threads <= b.threads+spareThreads && len(now.descriptors) <= len(b.descriptors)
}

// newDescriptors names those that were not there before.
func (b baseline) newDescriptors(now baseline) []string {
	var names []string
	for n, what := range now.descriptors {
		if b.descriptors[n] != what {
			names = append(names, fmt.Sprintf("%d %s", n, what))
		}
	}
	slices.Sort(names)
	return names[:min(len(names), 20)]
}

// printGoroutines prints all goroutines, those alike together.
func printGoroutines(why string) {
	fmt.Fprintf(os.Stderr, "---- goroutines: %s\n", why)
	pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
	fmt.Fprintln(os.Stderr, "----")
}
