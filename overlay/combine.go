package overlay

import (
	"context"
	"iter"
	"sync/atomic"

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

func (g group) stuck() (release func(), stuck bool) {
	for _, f := range g {
		if f.cancel != nil && !f.settled.Load() {
			return f.cancel.stuck()
		}
	}
	return nil, false
}

func (g group) ends() bool {
	for _, f := range g {
		if !f.settled.Load() && !f.ends() {
			return false
		}
	}
	return true
}

// combined returns a future that cancels fs.
func combined[T, U any](fs []*Future[T]) *Future[U] {
	f := new(Future[U])
	f.origin = new(config)
	if len(fs) > 0 {
		f.origin = fs[0].origin
	}
	f.place = caller(f.origin)
	g := make(group, len(fs))
	for i := range fs {
		g[i] = &fs[i].core
	}
	f.cancel = g
	return f
}

// Then returns a future of what fn makes of f's value. fn is called as OnDone
// calls it, unless f fails: then so does the new future. A panic in fn
// comes out of Await as an error. Cancel cancels f.
func Then[T, U any](f *Future[T], fn func(T) (U, error)) *Future[U] {
	next := combined[T, U]([]*Future[T]{f})
	f.then(func() {
		err := f.err
		f.noted()
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
	all := combined[T, []T](fs)
	left := int64(len(fs))
	if left == 0 {
		all.settle(nil)
		return all
	}
	var count atomic.Int64
	count.Store(left)
	var over atomic.Bool // no sync.Once: to stop one of fs can end it here and now
	for _, f := range fs {
		f.whenDone(func() {
			if err := f.err; err != nil {
				f.noted()
				if over.CompareAndSwap(false, true) {
					all.settle(err)
					all.cancel.stop(context.Canceled)
				}
			} else if count.Add(-1) == 0 {
				for _, f := range fs {
					all.value = append(all.value, f.value)
				}
				all.settle(nil)
			}
		})
	}
	return all
}

// Any returns a future of the first value that one of fs has; the others
// are cancelled then. If all fail it fails with the last one's error.
func Any[T any](fs ...*Future[T]) *Future[T] {
	first := combined[T, T](fs)
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
			first.settle(err)
			first.cancel.stop(context.Canceled)
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
