package thread_test

import (
	"math/rand"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// A worker that has ended holds no permit to be waited for actively, whatever its last
// callers were about to do, and takes none.
func TestAnEndedWorkerHoldsNoPermit(t *testing.T) {
	workers := 1500
	if testing.Short() {
		workers = 100
	}
	for range workers {
		w, err := thread.Start()
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for range 3 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				for w.Run(background, func() {
					if rand.Intn(20) == 0 {
						runtime.Goexit()
					}
				}) == nil {
				}
			}()
		}
		callers.Wait()
		w.Quit()
		looks := 0
		w.Watch(func() bool { looks++; return looks > 2 }, nil)
		if n := thread.Permitted(); n != 0 {
			t.Fatalf("%d permits are held by workers that have ended", n)
		}
	}
}

// A yield that lasts a time slice of another process makes the waits after it patient, and
// does not count as waiting; yields that bring the answer soon make them as before.
func TestPatience(t *testing.T) {
	const least, most = 2 * time.Microsecond, 64 * time.Microsecond
	var y thread.Yields
	y.Begin()
	if got := y.Patience(); got != least || y.Lost() {
		t.Fatalf("at first %v, lost: %v", got, y.Lost())
	}
	if got := y.Yielded(3*time.Microsecond, time.Microsecond); got != 4*time.Microsecond {
		t.Errorf("a quick yield: %v", got)
	}
	if got := y.Yielded(5*time.Microsecond, 3*time.Millisecond); got != 5*time.Microsecond {
		t.Errorf("a long yield: %v", got)
	}
	y.Answered() // since the other side went on meanwhile
	if got := y.Patience(); got != most || !y.Lost() {
		t.Errorf("after a long yield %v, lost: %v", got, y.Lost())
	}
	for n := 0; y.Patience() != least; n++ {
		if n == 10 {
			t.Fatalf("after ten answers %v", y.Patience())
		}
		y.Begin()
		y.Answered() // without a yield: it tells nothing
		before := y.Patience()
		y.Begin()
		y.Yielded(before, time.Microsecond)
		y.Answered()
		if got := y.Patience(); got >= before || got < least {
			t.Fatalf("after %v, %v", before, got)
		}
	}
	if y.Lost() {
		t.Error("still lost")
	}
}
