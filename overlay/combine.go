package overlay

import (
	"context"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/threadpin"
)

// group cancels futures together. It is the canceller of what combines them.
type group []*core

func (g group) stop(cause error) {
	for _, f := range g {
		f.stop(cause)
	}
}

func (g group) watch(f *core, stop <-chan struct{}) bool {
	for _, part := range g {
		if part.cancel != nil && !part.settled.Load() {
			return part.cancel.watch(f, stop)
		}
	}
	return false
}

// leaves are the calls that are not over, of parts of parts too.
func (g group) leaves() (calls []*core) {
	for _, f := range g {
		if f.settled.Load() || f.cancel == nil {
			continue
		}
		if parts, ok := f.cancel.(group); ok {
			calls = append(calls, parts.leaves()...)
		} else {
			calls = append(calls, f)
		}
	}
	return calls
}

func (g group) stuck() (release func(), stuck bool) {
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	var asked []*queue // one that is asked twice would count the caller twice
	for _, f := range g.leaves() {
		if c, ok := f.cancel.(*call); ok && c.phase.Load() == waiting {
			if slices.Contains(asked, c.queue()) {
				continue
			}
			asked = append(asked, c.queue())
		}
		r, is := f.cancel.stuck()
		if r != nil {
			releases = append(releases, r)
		}
		if is {
			release()
			return nil, true
		}
	}
	return release, false
}

func (g group) ends() bool {
	for _, f := range g {
		if !f.settled.Load() && !f.ends() {
			return false
		}
	}
	return true
}

// outcome waits for calls that are ending, and then for what is made of them:
// application's functions and dispatchers do that, and may take any time.
func (g group) outcome(f *core) bool {
	for _, c := range g.leaves() {
		<-c.done()
	}
	t := time.NewTimer(pinned.Grace)
	defer t.Stop()
	select {
	case <-f.done():
		return true
	case <-t.C:
		return f.settled.Load()
	}
}

// cores are those of futures of one type.
func cores[T any](fs []*Future[T]) group {
	g := make(group, len(fs))
	for i := range fs {
		g[i] = &fs[i].core
	}
	return g
}

// combined returns a future that cancels those of g.
func combined[T any](g group) *Future[T] {
	f := new(Future[T])
	f.origin = new(config)
	if len(g) > 0 {
		f.origin = g[0].origin
	}
	f.place = caller(f.origin)
	f.cancel = g
	return f
}

// gather calls done when all of g have a value. When one of them fails so does
// next, at once, and the others are cancelled.
func (g group) gather(next *core, done func()) {
	var count atomic.Int64
	count.Store(int64(len(g)))
	var over atomic.Bool // no sync.Once: to stop one of g can end it here and now
	for _, f := range g {
		f.whenDone(func() {
			if err := f.err; err != nil {
				f.noted()
				if over.CompareAndSwap(false, true) {
					defer g.stop(context.Canceled) // even if a callback ends the goroutine
					next.settle(err)
				}
			} else if count.Add(-1) == 0 {
				done()
			}
		})
	}
}

// Then returns a future of what fn makes of f's value. fn is called as OnDone
// calls it, unless f fails: then so does the new future. A panic in fn
// comes out of Await as an error. Cancel cancels f.
func Then[T, U any](f *Future[T], fn func(T) (U, error)) *Future[U] {
	next := combined[U](group{&f.core})
	next.chained = true
	f.then(func() {
		err := f.err
		f.noted()
		if err == nil && fn == nil {
			err = errNoFunction
		}
		if err == nil {
			err = threadpin.ErrGoexit // if fn does not return
			defer func() { next.settle(err) }()
			err = guard(func() (err error) { next.value, err = fn(f.value); return err })
			return
		}
		next.settle(err)
	})
	return next
}

// All returns a future of the values of all of fs, in their order. When one of
// them fails so does it, at once, and the others are cancelled.
func All[T any](fs ...*Future[T]) *Future[[]T] {
	g := cores(fs)
	all := combined[[]T](g)
	if len(g) == 0 {
		all.settle(nil)
		return all
	}
	g.gather(&all.core, func() {
		for _, f := range fs {
			all.value = append(all.value, f.value)
		}
		all.settle(nil)
	})
	return all
}

// Join2 returns a future of what fn makes of the values of a and b, which are of
// different types. It fails as All does: when one of them fails, at once, and the
// other is cancelled. fn is called as Then calls it. Cancel cancels both.
func Join2[A, B, T any](a *Future[A], b *Future[B], fn func(A, B) (T, error)) *Future[T] {
	both := joined(&a.core, &b.core)
	return Then(both, func(struct{}) (T, error) { return fn(a.value, b.value) })
}

// Join3 is Join2 for three futures.
func Join3[A, B, C, T any](a *Future[A], b *Future[B], c *Future[C], fn func(A, B, C) (T, error)) *Future[T] {
	all := joined(&a.core, &b.core, &c.core)
	return Then(all, func(struct{}) (T, error) { return fn(a.value, b.value, c.value) })
}

// joined returns a future that completes when all of g have a value.
func joined(g ...*core) *Future[struct{}] {
	all := combined[struct{}](g)
	group(g).gather(&all.core, func() { all.settle(nil) })
	return all
}

// Any returns a future of the first value that one of fs has; the others
// are cancelled then. If all fail it fails with the last one's error.
func Any[T any](fs ...*Future[T]) *Future[T] {
	first := combined[T](cores(fs))
	if len(fs) == 0 {
		first.settle(errNoFutures)
		return first
	}
	var count atomic.Int64
	count.Store(int64(len(fs)))
	var over atomic.Bool
	for _, f := range fs {
		f.whenDone(func() {
			err := f.err
			f.noted()
			last := count.Add(-1) == 0
			if err != nil && !last || !over.CompareAndSwap(false, true) {
				return
			}
			if err == nil {
				first.value = f.value
			}
			defer first.cancel.stop(context.Canceled) // even if a callback ends the goroutine
			first.settle(err)
		})
	}
	return first
}

// AsCompleted iterates over fs in the order in which they complete. It ends
// early when ctx ends; the futures are left alone then, as when the loop is left.
func AsCompleted[T any](ctx context.Context, fs ...*Future[T]) iter.Seq[*Future[T]] {
	return func(yield func(*Future[T]) bool) {
		done := make(chan *Future[T], len(fs)) // nobody who completes one has to wait
		for _, f := range fs {
			f.whenDone(func() { done <- f })
		}
		for range fs {
			var next *Future[T]
			select {
			case next = <-done:
			case <-ctx.Done():
				return
			}
			if !yield(next) {
				return
			}
		}
	}
}
