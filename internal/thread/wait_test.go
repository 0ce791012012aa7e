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

// A yield that lasts a time slice of another process makes the waits after it patient for a
// while, and does not count as waiting; waits that end after a short yield make them as before.
func TestPatience(t *testing.T) {
	const (
		least, most = 2 * time.Microsecond, 64 * time.Microsecond
		micro       = int64(time.Microsecond)
		milli       = int64(time.Millisecond)
	)
	var y thread.Yields
	y.Begin()
	if got := y.Patience(0); got != least {
		t.Fatalf("at first %v", got)
	}
	if got := y.Yielded(3*time.Microsecond, 0, micro); got != 4*time.Microsecond {
		t.Errorf("a quick yield: %v", got)
	}
	if got := y.Yielded(5*time.Microsecond, 0, 3*milli); got != 5*time.Microsecond {
		t.Errorf("a long yield: %v", got)
	}
	y.Answered() // since the other side went on meanwhile
	for _, here := range []int64{3 * milli, 100 * milli} {
		if got := y.Patience(here); got != most {
			t.Errorf("%v after a long yield %v", time.Duration(here-3*milli), got)
		}
	}
	if got := y.Patience(104 * milli); got != least {
		t.Errorf("long after a long yield %v", got)
	}
	for n := 0; y.Patience(3*milli) != least; n++ {
		if n == 10 {
			t.Fatalf("after ten answers %v", y.Patience(3*milli))
		}
		y.Begin()
		y.Answered() // without a yield: it tells nothing
		before := y.Patience(3 * milli)
		y.Begin()
		y.Yielded(before, 3*milli, 3*milli+micro)
		y.Answered()
		if got := y.Patience(3 * milli); got >= before || got < least {
			t.Fatalf("after %v, %v", before, got)
		}
	}
}

// When the other processes have gone, waits are as before, also if each call wakes the
// worker.
func TestPatienceEnds(t *testing.T) {
	w, err := thread.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Quit()
	w.Disturb()
	for range 100 {
		if !w.Disturbed() {
			return
		}
		time.Sleep(20 * time.Millisecond)
		w.Run(background, func() {})
	}
	t.Error("still patient after 2 s")
}
