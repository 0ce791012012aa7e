package overlay

import (
	"sync"

	"github.com/sqlaio/sqlaio/internal/goid"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/warnings"
)

// An Option configures an Engine.
type Option func(*config)

// config is what an engine, its connections and their futures share.
type config struct {
	lanes      int // 0: the default
	queue      int
	dispatcher func(func())
	dialect    Dialect
	noSites    bool
	writer     bool
	tracers    *pinned.Tracers        // of the sql.DB's driver
	heard      func(warnings.Warning) // of leaks; may be nil

	resultLimit int64 // bytes; 0: none

	waits, runs histogram // of the calls: for a lane, and on it
	slow        slowCalls

	mu           sync.Mutex
	fns          []func()      // guarded by mu: to be given to the dispatcher
	dispatching  bool          // guarded by mu: dispatchAll runs
	dispatcherID uintptr       // guarded by mu: dispatchAll's goroutine
	dispatched   chan struct{} // guarded by mu: closed when dispatchAll returns; nil: nobody asked
}

const (
	defaultLanes       = 4
	defaultQueue       = 16384
	defaultResultLimit = 64 << 20
)

func newConfig(opts []Option) *config {
	c := &config{queue: defaultQueue, resultLimit: defaultResultLimit}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	return c
}

// WithLanes sets how many connections an engine's own calls use at once. The
// default is 4, or for SQLite half of GOMAXPROCS if that is less, since SQLite keeps
// a processor busy. It is never more than the sql.DB allows. Values below 1 mean 1.
func WithLanes(n int) Option { return func(c *config) { c.lanes = max(n, 1) } }

// WithQueue bounds the calls that wait for a lane, and on each Conn for its
// thread; the default is 16384. A call for which there is no room is refused
// with ErrQueueFull: an asynchronous call does not wait.
func WithQueue(n int) Option { return func(c *config) { c.queue = max(n, 1) } }

// WithResultLimit bounds the memory that the rows of one QueryAsync or
// ExecuteAsync may take, in bytes; 0 and less mean no limit. The default is 64
// MiB. A query that reads more fails with ErrResultTooLarge. What a write returns
// is not bounded: it is done already.
func WithResultLimit(bytes int64) Option {
	return func(c *config) { c.resultLimit = max(bytes, 0) }
}

// WithDispatcher sets what calls the functions given to OnDone and Then. An event
// loop's run passes them to the loop. run must not block. Without a dispatcher they
// are called in the goroutine that completes the future.
func WithDispatcher(run func(fn func())) Option {
	return func(c *config) { c.dispatcher = run }
}

// WithoutPlaces has connections, results and futures not remember where they
// were made. Remembering costs some 200 ns each. Without it warnings about them
// cannot name the place.
func WithoutPlaces() Option { return func(c *config) { c.noSites = true } }

// dispatch calls fn. If there is a dispatcher, a goroutine gives fn to it instead,
// in the order in which futures complete. A dispatcher that is stuck keeps no lane
// busy.
func (c *config) dispatch(fn func()) {
	if c.dispatcher == nil {
		fn()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fns = append(c.fns, fn)
	if !c.dispatching {
		c.dispatching = true
		go c.dispatchAll()
	}
}

// onDispatcher reports whether the dispatcher has called the caller.
func (c *config) onDispatcher() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dispatcherID == goid.Get()
}

// undispatched returns a channel that is closed when nothing is left for the
// dispatcher. It is nil if nothing is left now.
func (c *config) undispatched() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dispatching {
		return nil
	}
	if c.dispatched == nil {
		c.dispatched = make(chan struct{})
	}
	return c.dispatched
}

// dispatchAll gives the dispatcher all functions that wait. If one of them ends the
// goroutine, another goroutine goes on with the rest.
func (c *config) dispatchAll() {
	id := goid.Get()
	all := false
	defer func() {
		if !all {
			go c.dispatchAll()
		}
	}()
	for {
		c.mu.Lock()
		c.dispatcherID = id
		if len(c.fns) == 0 {
			c.dispatching, c.dispatcherID = false, 0
			if c.dispatched != nil {
				close(c.dispatched)
				c.dispatched = nil
			}
			c.mu.Unlock()
			all = true
			return
		}
		fn := c.fns[0]
		c.fns = c.fns[1:]
		c.mu.Unlock()
		c.dispatcher(fn)
	}
}
