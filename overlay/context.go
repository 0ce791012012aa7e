package overlay

import (
	"context"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// callContext is the context of a function that runs: it ends with the call's
// own, and when the call is stopped. What that takes is made when somebody asks
// for Done.
type callContext struct {
	outer context.Context
	pc    *pinned.Conn // whose thread the function runs on

	mu     sync.Mutex
	inner  context.Context    // guarded by mu: made by Done
	cancel context.CancelFunc // guarded by mu
	err    error              // guarded by mu: the call was stopped
}

func (c *callContext) Deadline() (time.Time, bool) { return c.outer.Deadline() }

func (c *callContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		c.inner, c.cancel = context.WithCancel(c.outer)
		if c.err != nil {
			c.cancel()
		}
	}
	return c.inner.Done()
}

func (c *callContext) Err() error {
	if err := c.outer.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Value goes to the derived context once there is one, by which package context
// knows it as one of its own.
func (c *callContext) Value(key any) any {
	if key, ok := key.(runsOn); ok && key.pc == c.pc {
		return true
	}
	c.mu.Lock()
	inner := c.inner
	c.mu.Unlock()
	if inner == nil {
		inner = c.outer
	}
	return inner.Value(key)
}

// stop ends the context.
func (c *callContext) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
	}
	if c.cancel != nil {
		c.cancel()
	}
}
