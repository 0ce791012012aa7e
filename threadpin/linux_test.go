//go:build linux && !threadpin_portable

package threadpin_test

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

func TestTheThreadHasItsName(t *testing.T) {
	w := start(t, threadpin.WithName("sixteen-bytes-xx"))
	name, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(w.ThreadID()) + "/comm")
	if err != nil || strings.TrimSpace(string(name)) != "sixteen-bytes-x" {
		t.Fatalf("%q, %v", name, err)
	}
	run(t, w, func() {
		if syscall.Gettid() != w.ThreadID() {
			t.Error("ThreadID is not gettid's")
		}
	})
	if w.ThreadID() == os.Getpid() {
		t.Error("the worker has taken the main thread, whose name is the process's")
	}
}

func threads(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// settle waits until no more threads and goroutines than before are there.
func settle(t *testing.T, wantThreads, wantGoroutines int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		n, g := threads(t), runtime.NumGoroutine()
		if n <= wantThreads && g <= wantGoroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d threads and %d goroutines are left of %d and %d", n, g, wantThreads, wantGoroutines)
		}
	}
}

func TestThreadsAndGoroutinesAreBackAfterAThousandWorkers(t *testing.T) {
	boom := errors.New("boom")
	cycle := func(n int) {
		for i := range n {
			w, err := threadpin.Start(threadpin.WithOnStart(func() error {
				if i%4 == 3 {
					return boom
				}
				return nil
			}))
			if i%4 == 3 {
				if err != boom {
					t.Fatal(err)
				}
				continue
			}
			run(t, w, func() {})
			switch i % 4 {
			case 0, 1:
				w.Quit()
			case 2:
				w.Run(background, runtime.Goexit)
			}
		}
	}
	cycle(50) // the runtime's own threads come first
	n, g := threads(t), runtime.NumGoroutine()
	cycle(1000)
	settle(t, n+2, g) // the runtime may keep a spare thread or two
}

func TestAnIdleWorkerUsesNoProcessor(t *testing.T) {
	for range 20 {
		run(t, start(t), func() {})
	}
	time.Sleep(20 * time.Millisecond) // for the active waits to end
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	time.Sleep(300 * time.Millisecond)
	if d := used() - before; d > 100*time.Millisecond {
		t.Fatalf("20 idle workers used %v of processor time in 300ms", d)
	}
}
