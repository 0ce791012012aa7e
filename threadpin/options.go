package threadpin

import "time"

// An Option configures Start.
type Option func(*config)

type config struct {
	name       string
	onStart    func() error
	onStop     func()
	queue      int
	spin       time.Duration
	adapt      bool
	maxThreads int
}

// Defaults. The spin is what the two wake-ups of a call cost on the machines
// measured (50-100 µs each): waiting actively for about that long loses at
// most a factor of two against knowing the future, and a shorter spin never
// gets back to the fast mode once both sides have begun to park: point queries
// of a MariaDB on loopback took 60 µs with it, and 300 µs with half. The cap
// on threads is a tenth of the 10,000 at which the Go runtime aborts.
const (
	defaultQueue      = 1024
	defaultSpin       = 200 * time.Microsecond
	defaultMaxThreads = 1000
)

func newConfig(opts []Option) config {
	c := config{queue: defaultQueue, spin: defaultSpin, adapt: true, maxThreads: defaultMaxThreads}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}

// WithName names the thread, as `top -H` shows it on Linux, which keeps the
// first 15 bytes. Elsewhere it does nothing.
func WithName(name string) Option { return func(c *config) { c.name = name } }

// WithOnStart runs fn on the thread before Start returns. If fn fails, panics
// or calls runtime.Goexit, Start fails and the thread ends; OnStop is not run.
// Given twice, both run, in order.
func WithOnStart(fn func() error) Option {
	return func(c *config) {
		first := c.onStart
		if first == nil {
			c.onStart = fn
			return
		}
		c.onStart = func() error {
			if err := first(); err != nil {
				return err
			}
			return fn()
		}
	}
}

// WithOnStop runs fn on the thread as the last thing before it ends, also
// after a Goexit. A panic in fn is dropped: nobody is left to receive it.
// Given twice, both run, the last one first.
func WithOnStop(fn func()) Option {
	return func(c *config) {
		first := c.onStop
		if first == nil {
			c.onStop = fn
			return
		}
		c.onStop = func() {
			defer first()
			fn()
		}
	}
}

// WithQueue bounds the calls that wait for the thread; n < 1 means 1. When
// that many wait, Run waits for room and Submit fails. The default is 1024.
func WithQueue(n int) Option { return func(c *config) { c.queue = max(n, 1) } }

// WithSpin sets how long a side of a hop waits actively before it parks. 0
// never waits actively, which suits programs under a CPU quota: every hop then
// costs two thread wake-ups. Without this option the time is 200 µs, and
// workers whose calls are further apart than that do not wait actively.
func WithSpin(d time.Duration) Option {
	return func(c *config) { c.spin, c.adapt = max(d, 0), false }
}

// WithMaxThreads makes Start fail with ErrTooManyThreads when n workers of
// this process are running. The default is 1000; the Go runtime itself
// aborts the process at 10,000 threads.
func WithMaxThreads(n int) Option { return func(c *config) { c.maxThreads = n } }
