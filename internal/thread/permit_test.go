package thread_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
	"pgregory.net/rapid"
)

// The model: a list of those that are hot, and a line of tickets. Free permits go to the
// head of the line, and nobody passes it.
func TestPermitsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers, most := rapid.IntRange(1, 5).Draw(t, "workers"), rapid.IntRange(1, 3).Draw(t, "most")
		p := thread.NewPermits(workers, most)
		defer p.Close()
		type ticket struct{ worker, id int }
		var hot, retired []int
		var line, granted []ticket
		tickets := 0
		admit := func() {
			for len(line) > 0 {
				w := line[0].worker
				switch {
				case slices.Contains(hot, w), slices.Contains(retired, w):
				case len(hot) < most:
					hot = append(hot, w)
				default:
					return
				}
				granted, line = append(granted, line[0]), line[1:]
			}
		}
		drop := func(w int) {
			if i := slices.Index(hot, w); i >= 0 {
				hot = slices.Delete(hot, i, i+1)
			}
			admit()
		}
		worker := rapid.IntRange(0, workers-1)
		t.Repeat(map[string]func(*rapid.T){
			"warm": func(t *rapid.T) {
				w := worker.Draw(t, "worker")
				want := slices.Contains(hot, w)
				if !want && len(line) == 0 && len(hot) < most && !slices.Contains(retired, w) {
					want, hot = true, append(hot, w)
				}
				if got := p.Warm(w); got != want {
					t.Fatalf("Warm(%d) = %v", w, got)
				}
			},
			"cool": func(t *rapid.T) {
				w := worker.Draw(t, "worker")
				p.Cool(w)
				drop(w)
			},
			"retire": func(t *rapid.T) {
				w := worker.Draw(t, "worker")
				p.Retire(w)
				retired = append(retired, w)
				drop(w)
			},
			"enter": func(t *rapid.T) {
				w := worker.Draw(t, "worker")
				p.Enter(w, tickets)
				line = append(line, ticket{w, tickets})
				tickets++
				admit()
			},
			"leave the line": func(t *rapid.T) {
				if len(line) == 0 {
					t.Skip("nobody waits")
				}
				i := rapid.IntRange(0, len(line)-1).Draw(t, "place")
				p.Leave(line[i].id)
				line = slices.Delete(line, i, i+1)
				admit()
			},
			"leave with a permit": func(t *rapid.T) {
				if len(granted) == 0 {
					t.Skip("nobody was granted one")
				}
				g := granted[len(granted)-1]
				p.Leave(g.id)
				drop(g.worker)
			},
			"revoke": func(t *rapid.T) {
				p.Revoke()
				hot = nil
				admit()
			},
			"": func(t *rapid.T) {
				for w := range workers {
					if p.Hot(w) != slices.Contains(hot, w) {
						t.Fatalf("worker %d: hot is %v, want %v", w, p.Hot(w), hot)
					}
				}
				for _, g := range granted {
					if !p.Granted(g.id) {
						t.Fatalf("ticket %d waits", g.id)
					}
				}
				for _, l := range line {
					if p.Granted(l.id) {
						t.Fatalf("ticket %d has passed the line", l.id)
					}
				}
				if !p.Consistent() {
					t.Fatal("hot, line and their copies differ")
				}
			},
		})
	})
}

// hurried makes calls of w that follow each other as closely as they can, until over is
// closed.
func hurried(w *thread.Worker, over <-chan struct{}) {
	for {
		select {
		case <-over:
			return
		default:
			w.Run(background, func() {})
		}
	}
}

// More callers in a hurry than processors all get on: those that wait in line get their
// turns.
func TestCallersInAHurryTakeTurns(t *testing.T) {
	const enough = 3000
	n := 4 * runtime.GOMAXPROCS(0)
	over := make(chan struct{})
	var ready atomic.Int32
	var callers sync.WaitGroup
	for range n {
		w := start(t)
		callers.Add(1)
		go func() {
			defer callers.Done()
			for range enough {
				w.Run(background, func() {})
			}
			if int(ready.Add(1)) == n {
				close(over)
			}
			hurried(w, over) // the others have to get on beside this
		}()
	}
	callers.Wait()
}

// A call that takes long, and a caller who has gone away, keep nobody in line.
func TestALongCallKeepsNobodyInLine(t *testing.T) {
	var release sync.WaitGroup
	release.Add(1)
	defer release.Wait()
	for range runtime.GOMAXPROCS(0) { // as many as have permits, at least
		w := start(t)
		hurried(w, after(20))
		begun, done := make(chan struct{}), make(chan error, 1)
		if err := w.Submit(func() { close(begun); release.Wait() }, func(err error) { done <- err }); err != nil {
			t.Fatal(err)
		}
		<-begun
	}
	for range 4 {
		w := start(t)
		for range 1000 {
			if err := w.Run(background, func() {}); err != nil {
				t.Fatal(err)
			}
		}
	}
	release.Done()
}

// after returns a channel that is closed in some milliseconds.
func after(ms int) <-chan struct{} {
	ch := make(chan struct{})
	time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { close(ch) })
	return ch
}

// A caller whose context ends while it waits in line, or whose worker quits, leaves it.
func TestLeavingTheLine(t *testing.T) {
	n := runtime.GOMAXPROCS(0)
	p := thread.NewPermits(n, n)
	defer p.Close()
	for i := range n { // takes all permits there are
		p.Warm(i)
	}
	quits, ends := start(t), start(t)
	var callers sync.WaitGroup
	ctx, cancel := context.WithCancel(background)
	for _, w := range []*thread.Worker{quits, ends} {
		for range 3 {
			callers.Add(1)
			go func() {
				defer callers.Done()
				for w.Run(ctx, func() {}) == nil {
				}
			}()
		}
	}
	time.Sleep(time.Millisecond)
	quits.Quit()
	cancel()
	callers.Wait()
}

// GOMAXPROCS falls to 1 while callers are in line: nobody waits for a permit that will not
// come.
func TestNoPermitsForThoseInLine(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	over := make(chan struct{})
	var callers sync.WaitGroup
	for range 8 {
		w := start(t)
		callers.Add(1)
		go func() {
			defer callers.Done()
			hurried(w, over)
		}()
	}
	for range 20 {
		time.Sleep(time.Millisecond)
		runtime.GOMAXPROCS(1)
		time.Sleep(time.Millisecond)
		runtime.GOMAXPROCS(4)
	}
	runtime.GOMAXPROCS(1)
	close(over)
	callers.Wait()
}

// endsLate is a context that has ended when it is asked for the second time.
type endsLate struct {
	context.Context
	asked int
}

func (c *endsLate) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// A call whose context ends as it gets its permit leaves the worker, which sleeps, without.
func TestAPermitForACallThatIsNotMade(t *testing.T) {
	n := runtime.GOMAXPROCS(0)
	if min(n, runtime.NumCPU()) < 2 {
		t.Skip("there are no permits with one processor")
	}
	p := thread.NewPermits(n, n)
	defer p.Close()
	for i := range n {
		p.Warm(i)
	}
	w := start(t)
	time.Sleep(5 * time.Millisecond) // it sleeps
	w.Hurry()
	time.AfterFunc(time.Millisecond, func() {
		for i := range n {
			p.Cool(i)
		}
	})
	if err := w.Run(&endsLate{Context: background}, func() {}); err != context.Canceled {
		t.Fatal(err)
	}
	for i := range n {
		p.Cool(i)
	}
	if n := thread.Permitted(); n != 0 {
		t.Errorf("%d permits are held by workers that sleep", n)
	}
}

// A worker that sleeps gets no permit from somebody who waits for something else than a call.
func TestAWatchedWorkerThatSleeps(t *testing.T) {
	w := start(t)
	hurried(w, after(5))
	nobody := func() bool {
		for range 1000 {
			if thread.Permitted() == 0 {
				return true
			}
			time.Sleep(time.Millisecond)
		}
		return false
	}
	if !nobody() {
		t.Fatal("a worker that sleeps has a permit")
	}
	for range 300 { // some callers rest after waits for nothing
		looks := 0
		w.Watch(func() bool { looks++; return looks > 20 }, nil)
		if !nobody() {
			t.Fatal("a worker that sleeps has got a permit")
		}
	}
}
