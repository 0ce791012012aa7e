package thread_test

import (
	"math/rand"
	"runtime"
	"sync"
	"testing"

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
