package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/threadpin"
)

// thinkCases are what a server does: it computes, or waits for something else,
// between its calls.
func thinkCases() []comparison {
	var cs []comparison
	for _, gap := range []time.Duration{50 * time.Microsecond, 300 * time.Microsecond, time.Millisecond} {
		cs = append(cs, comparison{
			name: fmt.Sprintf("hop, cold: computing %v between (bare: a channel)", gap),
			goal: goal{most: 15 * time.Microsecond},
			open: func() (bare, aio side, err error) { return thinkingHop(gap) },
		})
	}
	for _, gap := range []time.Duration{20 * time.Microsecond, 50 * time.Microsecond, 300 * time.Microsecond, time.Millisecond} {
		cs = append(cs, thinking(1, gap, computing, goal{plus: 15 * time.Microsecond}, goal{}))
	}
	return append(cs,
		thinking(1, time.Millisecond, time.Sleep, goal{plus: 65 * time.Microsecond}, goal{}),
		thinking(8, time.Millisecond, computing, goal{plus: 40 * time.Microsecond}, goal{ratio: 3}),
		thinking(8, 5*time.Millisecond, computing, goal{plus: 40 * time.Microsecond}, goal{ratio: 3}),
		thinking(8, time.Millisecond, time.Sleep, goal{}, goal{}),
		working(8, 200*time.Microsecond),
		working(8, time.Millisecond),
		working(8, 5*time.Millisecond),
	)
}

// computing keeps the goroutine busy until d has passed, whether or not it has a processor.
func computing(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// compute does what takes a processor d. A goroutine that waits for a processor does not
// get on with it.
func compute(d time.Duration) {
	steps(max(1, int(float64(d)/stepTime())))
}

// stepTime is how long a step takes, in nanoseconds, at best.
var stepTime = sync.OnceValue(func() float64 {
	least := time.Hour
	for range 100 {
		start := time.Now()
		steps(100)
		least = min(least, time.Since(start))
	}
	return float64(least) / 100
})

func steps(n int) {
	x := uint64(88172645463325252)
	for range 300 * n {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	runtime.KeepAlive(x)
}

func thinkingHop(gap time.Duration) (bare, aio side, err error) {
	b, a, err := hop()
	if err != nil {
		return bare, aio, err
	}
	half := func(s side) side {
		w := new(waits)
		return side{func(n int) error {
			for range n {
				computing(gap)
				start := time.Now()
				if err := s.op(1); err != nil {
					return err
				}
				w.each = append(w.each, time.Since(start))
			}
			return nil
		}, s.close, w}
	}
	return half(b), half(a), nil
}

// thinking has goroutines, with a connection each, that think between their point
// queries.
func thinking(goroutines int, gap time.Duration, think func(time.Duration), p50, p99 goal) comparison {
	how := "computing"
	if fmt.Sprintf("%p", think) == fmt.Sprintf("%p", time.Sleep) {
		how = "sleeping"
	}
	name := fmt.Sprintf("point query, %d × %s %v between", goroutines, how, gap)
	c := timed(name, goroutines, func(ctx context.Context, db *sql.DB) (time.Duration, error) {
		think(gap)
		start := time.Now()
		err := pointQuery(ctx, db, 1)
		return time.Since(start), err
	})
	c.goal, c.tail = p50, p99
	return c
}

// working has goroutines, with a connection each, that compute and query in turns, all the
// time. What counts is both together: a goroutine that keeps its processor for the query
// loses it while it computes.
func working(goroutines int, work time.Duration) comparison {
	name := fmt.Sprintf("work of %v and a point query, %d goroutines", work, goroutines)
	c := timed(name, goroutines, func(ctx context.Context, db *sql.DB) (time.Duration, error) {
		start := time.Now()
		compute(work)
		err := pointQuery(ctx, db, 1)
		return time.Since(start), err
	})
	c.whole, c.turns = true, 25
	return c
}

// timed has goroutines, with a connection each, that do something again and again that
// returns how long it took.
func timed(name string, goroutines int, do func(context.Context, *sql.DB) (time.Duration, error)) comparison {
	var each *waits // of the side that runs
	c := sqlite(name, goal{}, goroutines, plainContext, func(ctx context.Context, db *sql.DB, n int) error {
		errs := make([]error, goroutines)
		own := make([][]time.Duration, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := g; i < n && errs[g] == nil; i += goroutines {
					var took time.Duration
					took, errs[g] = do(ctx, db)
					own[g] = append(own[g], took)
				}
			}()
		}
		wg.Wait()
		for _, o := range own {
			each.each = append(each.each, o...)
		}
		return errors.Join(errs...)
	})
	open := c.open
	c.open = func() (bare, aio side, err error) {
		bare, aio, err = open()
		for _, s := range []*side{&bare, &aio} {
			s.waits = new(waits)
			op, w := s.op, s.waits
			s.op = func(n int) error { each = w; return op(n) }
		}
		return bare, aio, err
	}
	return c
}

// hop compares with a channel round trip between ordinary goroutines.
func hop() (bare, aio side, err error) {
	w, err := threadpin.Start()
	if err != nil {
		return bare, aio, err
	}
	work, done := make(chan func()), make(chan struct{})
	go func() {
		for fn := range work {
			fn()
			done <- struct{}{}
		}
	}()
	nothing := func() {}
	bare = side{op: func(n int) error {
		for range n {
			work <- nothing
			<-done
		}
		return nil
	}, close: func() { close(work) }}
	aio = side{op: func(n int) error {
		for range n {
			if err := w.Run(context.Background(), nothing); err != nil {
				return err
			}
		}
		return nil
	}, close: func() { w.Quit() }}
	return bare, aio, nil
}
