package main

import (
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// A side is one of the two things compared. Its op does the work n times.
type side struct {
	op    func(n int) error
	close func()
	waits *waits // nil: the time of the whole op counts
}

// waits are the times of single calls, for work that does something else between
// them.
type waits struct{ each []time.Duration }

// A comparison is one row of the table, or if each call's own time counts the median of
// them and the 99th percentile, or all three.
type comparison struct {
	name string
	goal goal
	tail goal // of the 99th percentile
	open func() (bare, aio side, err error)

	whole bool // the time of the whole op counts too
	turns int  // a turn is so many times as long; 0: as long
}

func (c comparison) measure() error {
	bare, aio, err := c.open()
	if err != nil {
		return err
	}
	defer bare.close()
	defer aio.close()
	n, err := calibrate(bare, *turn*time.Duration(max(1, c.turns)))
	if err != nil {
		return err
	}
	sides := [2]side{bare, aio}
	var spent [2][]cost
	for i := range sides {
		if w := sides[i].waits; w != nil {
			w.each = nil
		}
	}
	for r := range *rounds {
		for i := range 2 {
			k := (i + r) % 2 // who begins changes from round to round
			t, err := run(sides[k], n)
			if err != nil {
				return err
			}
			spent[k] = append(spent[k], t)
		}
	}
	res := [2]cost{typical(spent[0]), typical(spent[1])}
	if bare.waits == nil || c.whole {
		printRow(c.name, c.goal, res[0], res[1])
	}
	if bare.waits == nil {
		return nil
	}
	for _, q := range []struct {
		name string
		at   float64
		goal goal
	}{{": p50", 0.5, c.goal}, {": p99", 0.99, c.tail}} {
		for i := range sides {
			res[i].time = percentile(sides[i].waits.each, q.at)
		}
		printRow(c.name+q.name, q.goal, res[0], res[1])
	}
	return nil
}

// cost is what a piece of work takes.
type cost struct{ time, allocs, bytes float64 } // nanoseconds, number, bytes

// typical returns the medians, or with -best the least time.
func typical(cs []cost) cost {
	column := func(get func(cost) float64) []float64 {
		xs := make([]float64, len(cs))
		for i, c := range cs {
			xs[i] = get(c)
		}
		return xs
	}
	times := column(func(c cost) float64 { return c.time })
	t := median(times)
	if *best {
		t = slices.Min(times)
	}
	return cost{t, median(column(func(c cost) float64 { return c.allocs })), median(column(func(c cost) float64 { return c.bytes }))}
}

// calibrate finds how often the work fits into a turn of d.
func calibrate(s side, d time.Duration) (int, error) {
	for n := 1; ; n *= 2 {
		c, err := run(s, n)
		if err != nil || time.Duration(c.time*float64(n)) > d/2 || n > 1<<22 {
			return n, err
		}
	}
}

// run returns what one of n pieces of work costs.
func run(s side, n int) (cost, error) {
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	err := s.op(n)
	spent := time.Since(start)
	runtime.ReadMemStats(&after)
	each := func(x uint64) float64 { return float64(x) / float64(n) }
	return cost{float64(spent) / float64(n), each(after.Mallocs - before.Mallocs), each(after.TotalAlloc - before.TotalAlloc)}, err
}
