package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// Nothing is left of many calls of which half are cancelled, and the counts add up. A call
// may be stopped after a lane has begun it and before its function has.
func TestStatsAddUpForTenThousandFutures(t *testing.T) {
	const n = 10_000
	manyGoroutines(n)
	goroutines := runtime.NumGoroutine()
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	func() {
		d := newScripted()
		db := d.openDB()
		e := overlay.New(db, overlay.WithLanes(4), overlay.WithQueue(n))
		var began atomic.Int64
		fs := make([]*overlay.Future[int], n)
		var cancelling sync.WaitGroup
		for i := range fs {
			fs[i] = overlay.RunInThread(background, e, func(ctx context.Context, _ *sql.Conn) (int, error) {
				began.Add(1)
				if i%8 == 1 { // to be cancelled: waits for it
					<-ctx.Done()
				}
				return i, ctx.Err()
			})
		}
		for first := 1; first < 16; first += 2 {
			cancelling.Add(1)
			go func() {
				defer cancelling.Done()
				for i := first; i < n; i += 16 {
					fs[i].Cancel()
				}
			}()
		}
		cancelling.Wait()
		var ran, interrupted, withdrawn int64
		for i, f := range fs {
			within(t, "the end of a call", f.Done())
			switch v, err, _ := f.TryResult(); {
			case err == nil && v == i:
				ran++
			case errors.Is(err, context.Canceled) && i%2 == 1: // ErrOutcomeUnknown too, if its lane got no processor
				interrupted++
			default:
				t.Fatalf("call %d gave %v, %v", i, v, err)
			}
		}
		if err := e.Shutdown(background); err != nil {
			t.Fatal(err)
		}
		st := e.Stats()
		withdrawn, interrupted = st.Withdrawn, interrupted-st.Withdrawn
		t.Logf("%d ran, %d were withdrawn, %d interrupted", ran, withdrawn, interrupted)
		if interrupted < 0 || ran < n/2 || ran+interrupted != st.Run || began.Load() < ran || began.Load() > st.Run || st.Run+st.Withdrawn != n || st.Lanes != 0 {
			t.Fatalf("%d began, %d ran, %d were interrupted: %+v", began.Load(), ran, interrupted, st)
		}
		db.Close()
		d.check(t)
	}()
	until(t, "goroutines back at baseline", func() bool { return runtime.NumGoroutine() <= goroutines })
	until(t, "memory back at baseline", func() bool { return heap() < before+1<<20 })
}

// manyGoroutines has n goroutines at a time. The runtime keeps the memory of each
// for good and uses it again. Without that, what a test needs depends on how soon
// the goroutine that each function's sql.DB starts gets a processor to end on.
func manyGoroutines(n int) {
	var all sync.WaitGroup
	end := make(chan struct{})
	for range n {
		all.Add(1)
		go func() {
			defer all.Done()
			<-end
		}()
	}
	close(end)
	all.Wait()
}

// Calls that had the writer for themselves are groups of one.
func TestStatsOfLoneWrites(t *testing.T) {
	e, _ := withWriter(t)
	before := e.Stats()
	for k := range 20 {
		must(t, e.ExecAsync(background, "INSERT INTO t VALUES (?, 'x')", k))
	}
	failure(t, e.ExecAsync(background, "INSERT INTO t VALUES (0, 'again')"))
	must(t, e.ExecAsync(background, "VACUUM")) // commits nothing
	s := e.Stats()
	if s.Groups-before.Groups != 20 || s.Members-before.Members != 20 || s.Largest != 1 || s.Committing <= before.Committing || s.RunsAgain != 0 {
		t.Errorf("stats %+v, before %+v", s, before)
	}
}
