package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// grace is how long after its deadline a call may come back.
const grace = 2 * time.Second

// recovery is how long all writers may take to write again after a fault. It is
// generous: the machine may be busy.
const recovery = 20 * time.Second

// A way is one way to use a database. What it writes it tells the site.
type way struct {
	name   string
	weight int    // how often, in proportion; 0 means 10
	driver string // the only one that it is for; empty for all
	run    func(ctx context.Context, s *site, r *rand.Rand) error
}

// A crew is goroutines that use a site in ways chosen by chance until they are
// told to stop.
type crew struct {
	site  *site
	ways  []way
	limit limiter
	once  bool // each goroutine stops when a call has ended well
	slots []slot

	stop atomic.Bool
	all  sync.WaitGroup
	late atomic.Int64

	mu    sync.Mutex
	notes map[string]lateness // guarded by mu: by way
}

// A slot is what one goroutine of a crew is doing.
type slot struct {
	way   atomic.Pointer[string] // nil while there is none
	begun atomic.Int64           // when, as Unix nanoseconds
	done  atomic.Int64           // when the last call began that ended well
}

// lateness is what came back late of one way.
type lateness struct {
	n    int
	most time.Duration
}

// A limiter gives one call its context. It also says when that ends.
type limiter func(*rand.Rand) (context.Context, context.CancelFunc, time.Duration)

// deadline has every call end after d.
func deadline(d time.Duration) limiter {
	return func(*rand.Rand) (context.Context, context.CancelFunc, time.Duration) {
		ctx, cancel := context.WithTimeout(context.Background(), d)
		return ctx, cancel, d
	}
}

// startCrew starts a crew of n goroutines.
func startCrew(s *site, j job, n int, ways []way, limit limiter) (*crew, error) {
	c, err := newCrew(s, j, ways, limit)
	if err == nil {
		c.start(j, n)
	}
	return c, err
}

// newCrew returns a crew with those of the ways that are for the site's driver and
// that the job names.
func newCrew(s *site, j job, ways []way, limit limiter) (*crew, error) {
	match, err := regexp.Compile(j.Ways)
	if err != nil {
		return nil, err
	}
	c := &crew{site: s, limit: limit, notes: make(map[string]lateness)}
	for _, w := range ways {
		if (w.driver == "" || w.driver == s.driver) && match.MatchString(w.name) {
			for range cmp.Or(w.weight, 10) {
				c.ways = append(c.ways, w)
			}
		}
	}
	if len(c.ways) == 0 {
		return nil, fmt.Errorf("no way for %s matches %q", s.driver, j.Ways)
	}
	return c, nil
}

// start starts n goroutines. Each has its own chance, drawn from the job's seed.
func (c *crew) start(j job, n int) {
	c.slots = make([]slot, n)
	for i := range c.slots {
		c.all.Add(1)
		go c.work(&c.slots[i], rand.New(rand.NewPCG(j.Seed, uint64(j.Life)<<16|uint64(i))))
	}
}

func (c *crew) work(s *slot, r *rand.Rand) {
	defer c.all.Done()
	defer s.way.Store(nil)
	for !c.stop.Load() {
		w := c.ways[r.IntN(len(c.ways))]
		begun := time.Now()
		s.begun.Store(begun.UnixNano())
		s.way.Store(&w.name)
		ctx, cancel, limit := c.limit(r)
		err := w.run(ctx, c.site, r)
		cancel()
		if over := time.Since(begun) - limit; over > grace {
			c.noteLate(w.name, over)
		}
		if err == nil {
			s.done.Store(begun.UnixNano())
			if c.once {
				return
			}
		} else { // not to fill the ledger while nothing goes
			time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
		}
	}
}

func (c *crew) noteLate(way string, over time.Duration) {
	c.late.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.notes[way]
	c.notes[way] = lateness{l.n + 1, max(l.most, over)}
}

// caughtUp waits until every goroutine has had a call succeed that began after a
// time, and reports whether that happened within limit.
func (c *crew) caughtUp(after time.Time, limit time.Duration) bool {
	for end := time.Now().Add(limit); ; time.Sleep(5 * time.Millisecond) {
		behind := 0
		for i := range c.slots {
			if c.slots[i].done.Load() <= after.UnixNano() {
				behind++
			}
		}
		if behind == 0 {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// end stops the crew and adds to r the calls that were late and those that are
// not back within limit and grace, which it leaves alone.
func (c *crew) end(limit time.Duration, r *report) {
	c.stop.Store(true)
	c.await(time.Now().Add(limit+grace), r)
}

// await is end for a crew that was stopped: it waits until a time.
func (c *crew) await(until time.Time, r *report) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.all.Wait()
	}()
	select {
	case <-done:
	case <-time.After(time.Until(until)):
		for i := range c.slots {
			if w := c.slots[i].way.Load(); w != nil {
				r.Hung++
				r.notef("hung: %s is not back after %v", *w,
					time.Since(time.Unix(0, c.slots[i].begun.Load())).Round(time.Millisecond))
			}
		}
		printGoroutines("calls that are not back")
	}
	r.Hung += int(c.late.Load())
	c.mu.Lock()
	defer c.mu.Unlock()
	for way, l := range c.notes {
		r.notef("late: %d × %s, up to %v after the deadline", l.n, way, l.most.Round(time.Millisecond))
	}
}
