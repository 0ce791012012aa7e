package thread

import "time"

// Config says how a worker is started.
type Config struct {
	Name       string
	OnStart    []func() error // run in order, until one fails
	OnStop     []func()       // the last one is run first
	Queue      int            // calls that may wait
	Spin       time.Duration  // how long a side of a hop waits actively
	Adapt      bool           // wait actively only while calls come that close together
	MaxThreads int            // how many workers the process may have
}

// An Option changes a Config.
type Option func(*Config)

func newConfig(opts []Option) Config {
	c := Config{
		Queue: 1024,
		// About what waking a thread costs on the machines measured: waiting actively
		// for as long costs at most twice what it would to know the future.
		Spin:  200 * time.Microsecond,
		Adapt: true,
		// A tenth of the 10,000 at which the Go runtime aborts.
		MaxThreads: 1000,
	}
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}

// start runs what is to run before the first call.
func (c *Config) start() error {
	for _, fn := range c.OnStart {
		if fn == nil {
			continue
		}
		if err := fn(); err != nil {
			return err
		}
	}
	return nil
}

// stop runs what is to run after the last call. One that panics does not keep
// the others from running.
func (c *Config) stop() {
	for _, fn := range c.OnStop {
		defer fn()
	}
}
