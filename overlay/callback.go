package overlay

import (
	"slices"

	"github.com/sqlaio/sqlaio/internal/goid"
)

// then has fn dispatched when the future is complete.
func (f *core) then(fn func()) {
	f.mu.Lock()
	if !f.settled.Load() || f.tell {
		f.fns = append(f.fns, fn)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	f.origin.dispatch(fn)
}

// tellAll calls own and dispatches fns, also those that come meanwhile, and the rest of
// them if one panics or ends the goroutine.
func (f *core) tellAll() {
	returned := true
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			// On a connection's thread it would end the connection, and nobody would hear of
			// it. It ends the program, as it does in a goroutine of the application's.
			err := panicError(v)
			go func() { panic(err) }()
		}
		f.tellAll()
	}()
	for {
		fn, own := f.next()
		if fn == nil {
			return
		}
		returned = false
		if own {
			fn()
		} else {
			f.origin.dispatch(fn)
		}
		returned = true
	}
}

// next takes the function that tellAll calls next; nil if none is left.
func (f *core) next() (fn func(), own bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.teller = goid.Get()
	switch {
	case len(f.own) > 0:
		fn, f.own = f.own[0], f.own[1:]
		return fn, true
	case len(f.fns) > 0:
		fn, f.fns = f.fns[0], f.fns[1:]
		return fn, false
	}
	f.own, f.fns, f.tell, f.teller = nil, nil, false, 0
	return nil, false
}

// waitsHere reports whether the future waits for a function of Then that the calling
// goroutine is going to call. It is calling another one now, or the dispatcher is.
func (f *core) waitsHere() bool {
	g, ok := f.cancel.(group)
	switch {
	case !ok || f.settled.Load():
		return false
	case f.chained && g[0].settled.Load():
		g[0].mu.Lock()
		defer g[0].mu.Unlock()
		return g[0].teller == goid.Get() || f.origin.onDispatcher()
	}
	return slices.ContainsFunc(g, (*core).waitsHere)
}

// whenDone has fn called when the future is complete, by whoever completes it.
func (f *core) whenDone(fn func()) {
	f.mu.Lock()
	if !f.settled.Load() {
		f.own = append(f.own, fn)
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	fn()
}

// each calls fn, which calls callbacks, with every one of all, also if one ends the
// goroutine.
func each[T any](all []T, fn func(T)) {
	defer func() {
		if len(all) > 0 {
			each(all, fn)
		}
	}()
	for len(all) > 0 {
		one := all[0]
		all = all[1:]
		fn(one)
	}
}
