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

// Pauses between calls add up to a share, and longer ones begin a new one.
func TestShareOver(t *testing.T) {
	w, err := thread.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Quit()
	for i, step := range []struct {
		pause time.Duration
		over  bool
	}{
		{9 * time.Millisecond, false}, {2 * time.Millisecond, true}, {9 * time.Millisecond, false},
		{25 * time.Millisecond, false}, {9 * time.Millisecond, false}, {10500 * time.Microsecond, true},
		{10500 * time.Microsecond, true}, {19 * time.Millisecond, true},
	} {
		if got := w.ShareOver(step.pause); got != step.over {
			t.Errorf("%d: after %v: %v", i, step.pause, got)
		}
	}
	calls := 1
	for !w.ShareOver(50 * time.Microsecond) {
		calls++
	}
	if calls != 201 {
		t.Errorf("after %d pauses of 50 µs", calls)
	}
}

// startCrowded starts a worker that sleeps in channels, as with all processors busy.
func startCrowded(t *testing.T) *thread.Worker {
	thread.Crowd(1 << 30)
	t.Cleanup(func() { thread.Crowd(0) })
	w, err := thread.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Quit() })
	return w
}

// What a call takes is no part of the share, since its caller sleeps.
func TestLongCallsGiveNoWay(t *testing.T) {
	w := startCrowded(t)
	least := time.Hour
	for range 5 { // the machine may be busy
		time.Sleep(25 * time.Millisecond) // a new share
		w.Run(background, func() { time.Sleep(8 * time.Millisecond) })
		w.Run(background, func() {})
		least = min(least, w.Computed())
	}
	if least > 5*time.Millisecond {
		t.Errorf("after a call of 8 ms callers have computed %v", least)
	}
}

// A caller who submits and waits in its own way shares its processor, too.
func TestSubmittersShareProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := startCrowded(t)
	var ran atomic.Bool
	go ran.Store(true)
	done := make(chan struct{})
	for calls := 0; !ran.Load(); calls++ {
		if calls == 20_000 {
			t.Fatal("another goroutine has not run in 20,000 calls")
		}
		for start := time.Now(); time.Since(start) < 50*time.Microsecond; {
		}
		if err := w.Submit(func() {}, func(error) { done <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
		<-done
	}
}
