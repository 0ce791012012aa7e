package thread_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
	"github.com/sqlaio/sqlaio/threadpin"
	"pgregory.net/rapid"
)

// modelCall is a call as its caller sees it. The model is simple: ran is
// 1 if and only if the caller was told that it ran.
type modelCall struct {
	ran  atomic.Int32
	told error
	boom bool // it panicked
	seq  int64
}

// TestWorkerAgainstItsModel lets several goroutines make random calls of one
// worker and its branches, withdraw them, panic, exit and quit at random, and
// then compares what ran with what the callers were told.
func TestWorkerAgainstItsModel(t *testing.T) {
	var steps atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		w, err := thread.Start(
			threadpin.WithQueue(rapid.IntRange(1, 4).Draw(t, "queue")),
			threadpin.WithSpin(rapid.SampledFrom([]time.Duration{0, time.Microsecond, 100 * time.Microsecond}).
				Draw(t, "spin")))
		if err != nil {
			t.Fatal(err)
		}
		callers := rapid.IntRange(1, 4).Draw(t, "callers")
		scripts := make([][]int, callers)
		for i := range scripts {
			scripts[i] = rapid.SliceOfN(rapid.IntRange(0, 99), 20, 60).Draw(t, "script")
		}
		ends := rapid.IntRange(0, 3).Draw(t, "ends") == 0 // with calls still coming

		var running atomic.Int32
		var order atomic.Int64
		var wg sync.WaitGroup
		results := make([][]*modelCall, callers)
		for i, script := range scripts {
			wg.Add(1)
			go func() {
				defer wg.Done()
				b := w.Branch()
				for _, op := range script {
					steps.Add(1)
					if op%7 == 0 { // long enough for the worker to park
						time.Sleep(time.Duration(op) * 3 * time.Microsecond)
					}
					if op%11 == 0 { // now in a channel, now in the kernel
						thread.Crowd(int32(op % 4))
					}
					c := &modelCall{}
					results[i] = append(results[i], c)
					work := func() {
						if running.Add(1) != 1 {
							panic("two calls at once")
						}
						c.seq = order.Add(1)
						c.ran.Add(1)
						running.Add(-1)
					}
					modelStep(w, b, op, c, work)
				}
			}()
		}
		if ends {
			runtime.Gosched()
			w.Quit()
		}
		wg.Wait()
		w.Quit()
		for i, calls := range results {
			var last int64
			for j, c := range calls {
				want := int32(0)
				if c.told == nil || c.boom {
					want = 1
				}
				if n := c.ran.Load(); n != want {
					t.Fatalf("caller %d, call %d, op %d: ran %d times, but was told %v", i, j, scripts[i][j], n, c.told)
				}
				if c.seq != 0 && c.seq < last {
					t.Fatalf("caller %d: call %d overtook an earlier one", i, j)
				}
				last = max(last, c.seq)
			}
		}
		if n := w.Queued(); n != 0 {
			t.Fatalf("%d calls are queued after the end", n)
		}
	})
	t.Logf("%d steps", steps.Load())
}

// modelStep makes one call and notes what its caller is told.
func modelStep(w, b *thread.Worker, op int, c *modelCall, work func()) {
	switch {
	case op < 40:
		c.told = w.Run(background, work)
	case op < 50: // through a branch
		c.told = b.Run(background, work)
	case op < 65: // withdrawn, perhaps in time
		ctx, cancel := context.WithCancel(background)
		go cancel()
		c.told = w.Run(ctx, work)
		cancel()
	case op < 75: // submitted
		done := make(chan error, 1)
		if c.told = b.Submit(work, func(err error) { done <- err }); c.told == nil {
			c.told = <-done
		}
	case op < 85: // inline
		c.told = w.Run(background, func() { w.Run(background, work) })
	case op < 95:
		func() {
			defer func() { c.boom = recover() != nil }()
			c.told = w.Run(background, func() { work(); panic("boom") })
		}()
	case op < 98: // stopped while it runs, and perhaps left
		ctx, cancel := context.WithCancel(background)
		stop := make(chan struct{})
		once := sync.OnceFunc(func() { close(stop) })
		task := w.NewTask(thread.Func(func() { work(); cancel(); <-stop }))
		c.told = task.Begin(ctx)
		switch {
		case c.told != nil:
			task.Release()
		case !task.Wait(nil, ctx.Done()):
			once()
			if op == 96 {
				task.Wait(nil, nil)
				c.told = task.End()
			} else {
				task.Leave()
			}
		default:
			c.told = task.End()
		}
		cancel()
	default:
		b.Quit()
		*c = modelCall{told: thread.ErrAlreadyQuit}
	}
}
