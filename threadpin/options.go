package threadpin

import (
	"time"

	"github.com/sqlaio/sqlaio/internal/thread"
)

// An Option configures Start.
type Option = thread.Option

// WithName names the thread, as `top -H` shows it on Linux, which keeps the
// first 15 bytes. Elsewhere it does nothing.
func WithName(name string) Option { return func(c *thread.Config) { c.Name = name } }

// WithOnStart runs fn on the thread before Start returns. If fn fails, panics
// or calls runtime.Goexit, Start fails and the thread ends; OnStop is not run.
// Given twice, both run, in order.
func WithOnStart(fn func() error) Option {
	return func(c *thread.Config) { c.OnStart = append(c.OnStart, fn) }
}

// WithOnStop runs fn on the thread just before it ends, also after a Goexit. A
// panic in fn is dropped, because nobody is left to receive it. Given twice, both
// run, the last one first.
func WithOnStop(fn func()) Option {
	return func(c *thread.Config) { c.OnStop = append(c.OnStop, fn) }
}

// WithQueue bounds the calls that wait for the thread; n < 1 means 1. When
// that many wait, Run waits for room and Submit fails. The default is 1024.
func WithQueue(n int) Option { return func(c *thread.Config) { c.Queue = max(n, 1) } }

// WithSpin sets how long each side of a hop waits actively before it parks, and that a
// worker does so after each call. With 0 neither side does, and every hop costs two thread
// wake-ups. Without this option the time is 200 µs, and a worker waits actively only while
// calls come that close together.
func WithSpin(d time.Duration) Option {
	return func(c *thread.Config) { c.Spin, c.Adapt = max(d, 0), false }
}

// WithMaxThreads makes Start fail with ErrTooManyThreads when n workers of
// this process are running. The default is 1000; the Go runtime itself
// aborts the process at 10,000 threads.
func WithMaxThreads(n int) Option { return func(c *thread.Config) { c.MaxThreads = n } }
