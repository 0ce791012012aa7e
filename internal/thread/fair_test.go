package thread_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// Callers that compute between their calls, more than there are processors, all get on:
// one and its worker do not keep a processor for themselves.
func TestCallersShareProcessors(t *testing.T) {
	thread.Crowd(1 << 30) // so that workers sleep in channels
	defer thread.Crowd(0)
	const turns = 4000 // of the fastest
	calls := make([]atomic.Int32, 3*runtime.GOMAXPROCS(0))
	over := make(chan struct{})
	var end sync.Once
	var callers sync.WaitGroup
	for i := range calls {
		w, err := thread.Start()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Quit()
		callers.Add(1)
		go func() {
			defer callers.Done()
			for {
				select {
				case <-over:
					return
				default:
				}
				for start := time.Now(); time.Since(start) < 100*time.Microsecond; {
				}
				w.Run(background, func() {})
				if calls[i].Add(1) == turns {
					end.Do(func() { close(over) })
				}
			}
		}()
	}
	callers.Wait()
	for i := range calls {
		if n := calls[i].Load(); n < turns/20 {
			t.Errorf("caller %d made %d calls while another made %d", i, n, turns)
		}
	}
}
