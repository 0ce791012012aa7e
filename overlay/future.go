package overlay

import (
	"context"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/threadpin"
)

// A Future is the result of a call that may still be under way. It completes
// exactly once, also if nobody waits for it, and costs no goroutine meanwhile.
// All methods are safe for concurrent use. There is no useful zero value.
type Future[T any] struct {
	core
	value T // written before core settles
}

// core is what futures of all types have in common.
type core struct {
	settled atomic.Bool // set under mu, once; err and the value are there

	mu     sync.Mutex
	gate   chan struct{} // guarded by mu: made by the first who waits, closed at the end
	fns    []func()      // guarded by mu: what OnDone was given
	own    []func()      // guarded by mu: likewise, the overlay's: called before fns, by no dispatcher
	tell   bool          // guarded by mu: fns are being called, or are going to be
	teller uintptr       // guarded by mu: the goroutine that calls own and fns; 0: none does

	err     error
	publish interface{ publish() } // makes the call's result the value, before it is settled; nil: it is already
	seen    atomic.Bool            // somebody has looked at err
	unseen  *unseen                // of a future with an error
	origin  *config                // whose dispatcher and settings it uses
	cancel  canceller              // what Cancel stops; nil: nothing
	place   site                   // where the call was made
	quiet   bool                   // nobody is meant to look at err
	chained bool                   // Then's: it waits for its function, which is one of those of the future that it cancels
}

// canceller is a call, or what combines futures.
type canceller interface {
	// stop makes the future complete soon, with cause if nothing else is known.
	stop(cause error)
	// watch waits actively, if that makes sense now, and reports whether f
	// is settled.
	watch(f *core, stop <-chan struct{}) bool
	// stuck reports whether the calling goroutine, by waiting, keeps the call
	// from being made. The release function is called after the wait.
	stuck() (release func(), stuck bool)
	// ends reports whether the call is about to end, by itself or because its
	// own context has: then its outcome is worth waiting for.
	ends() bool
}

// Await waits until the future is complete and returns its result. If ctx ends
// first it returns ctx.Err() and leaves the future and its call alone, unless the
// call's own context has ended too: the call is being stopped then, and Await
// waits until it is known what became of it, some 100 ms at most. It returns
// ErrWouldDeadlock where it would wait for its own caller: on a thread that the call
// needs, and in a callback that must return before a function of Then, for which the
// future waits, is called.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	if err := f.wait(ctx); err != nil {
		var zero T
		return zero, err
	}
	return f.value, f.result()
}

// Done returns a channel that is closed when the future is complete.
func (f *Future[T]) Done() <-chan struct{} { return f.done() }

// TryResult returns the result if the future is complete; ok tells.
func (f *Future[T]) TryResult() (value T, err error, ok bool) {
	if !f.settled.Load() {
		return value, nil, false
	}
	return f.value, f.result(), true
}

// String describes the future in one line.
func (f *Future[T]) String() string {
	state := "pending"
	if f.settled.Load() {
		state = "done"
		if f.err != nil {
			state = "failed: " + f.err.Error()
		}
	}
	return fmt.Sprintf("overlay.Future[%v](%s)", reflect.TypeFor[T](), state)
}

// Cancel withdraws a call that waits, and interrupts one that runs. It does
// not wait: the future completes with context.Canceled, or with what the call
// had done by then. After the end it does nothing.
func (f *Future[T]) Cancel() { f.stop(context.Canceled) }

// OnDone has fn called with the result, by the engine's dispatcher. Without one it is
// called in the goroutine that completes the future. That is the connection's, so fn must
// be quick. (For a call that was stopped while it waited, it is a new one.) Functions are
// called, or given to the dispatcher, in the order in which they were given to OnDone. If
// the future is complete and all earlier ones have been called, that is done before OnDone
// returns. A panic in fn ends the program. A nil fn is ignored.
func (f *Future[T]) OnDone(fn func(T, error)) {
	if fn == nil {
		return
	}
	f.then(func() { fn(f.value, f.result()) })
}

// result is err, seen.
func (f *core) result() error {
	f.see()
	return f.err
}

// see notes that somebody looks at the error, and at those that it comes from.
func (f *core) see() {
	if f.err == nil {
		return
	}
	f.seen.Store(true)
	f.noted()
	if g, ok := f.cancel.(group); ok {
		for _, part := range g {
			if part.settled.Load() {
				part.see()
			}
		}
	}
}

// noted keeps the future from warning that nobody has looked at its error:
// another one will.
func (f *core) noted() {
	if f.unseen != nil {
		f.unseen.look()
	}
}

// wait returns nil when the future is complete.
func (f *core) wait(ctx context.Context) error {
	if f.settled.Load() {
		return nil
	}
	if ctx.Err() != nil && !f.ends() {
		return ctx.Err()
	}
	after, err := reflectguard.Wait(ctx, "Future.Await")
	if err != nil {
		return err
	}
	if after != nil {
		defer after()
	}
	if f.cancel != nil {
		if f.waitsHere() {
			return ErrWouldDeadlock
		}
		if f.cancel.watch(f, ctx.Done()) {
			return nil
		}
		release, stuck := f.cancel.stuck()
		if stuck {
			if f.settled.Load() {
				return nil
			}
			return ErrWouldDeadlock
		}
		if release != nil {
			defer release()
		}
	}
	select {
	case <-f.done():
		return nil
	case <-ctx.Done():
		if f.settled.Load() {
			return nil
		}
		if !f.ends() {
			return ctx.Err()
		}
		if g, ok := f.cancel.(group); ok && !g.outcome(f) {
			return ctx.Err()
		}
		<-f.done()
		return nil
	}
}

func (f *core) ends() bool { return f.cancel != nil && f.cancel.ends() }

// closedGate is the channel of futures that nobody waited for.
var closedGate = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (f *core) done() <-chan struct{} {
	if f.settled.Load() {
		return closedGate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.settled.Load() {
		return closedGate
	}
	if f.gate == nil {
		f.gate = make(chan struct{})
	}
	return f.gate
}

func (f *core) stop(cause error) {
	if f.cancel != nil && !f.settled.Load() {
		f.cancel.stop(cause)
	}
}

// settle completes the future, and calls what it was given. The value has been written.
func (f *core) settle(err error) {
	if f.complete(err) {
		f.tellAll()
	}
}

// complete is settle without the calls. It reports whether there are any to make.
func (f *core) complete(err error) (tell bool) {
	f.mu.Lock()
	if f.settled.Load() {
		f.mu.Unlock()
		panic("overlay: a future completed twice")
	}
	f.err = err
	f.unseen = f.watchError()
	f.settled.Store(true)
	gate := f.gate
	f.tell = len(f.fns) > 0
	tell = f.tell || len(f.own) > 0
	f.mu.Unlock()
	if gate != nil {
		f.wakeups().wake(gate)
	}
	return tell
}

// wakeups are those of the pool that the future's call was in. What combines
// futures has none: its watchers are those of another's.
func (f *core) wakeups() *wakeups {
	if c, ok := f.cancel.(*call); ok {
		return &c.q.wakeups
	}
	return new(wakeups)
}

// completed returns a future that is complete.
func completed[T any](cfg *config, value T, err error) *Future[T] {
	f := &Future[T]{value: value}
	f.origin, f.err = cfg, err
	if err != nil {
		f.place = caller(cfg)
		f.unseen = f.watchError()
	}
	f.settled.Store(true)
	return f
}

// guard calls a function of the application's and returns its panic as an
// error, with the stack.
func guard(fn func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = panicError(v)
		}
	}()
	err = fn()
	returned = true
	return err
}

// panicError is what comes out of Await when a function has panicked.
func panicError(v any) error {
	return &threadpin.PanicError{Value: v, Stack: debug.Stack()}
}
