package drivertest

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A Hook runs inside a call, on its thread, before the driver's own work. If
// it returns an error the method returns just that; a method without an error
// result then says no: IsValid and HasNextResultSet false, NumInput -1.
type Hook func(Call) error

type hook struct {
	method string
	run    Hook
}

// On adds a hook for a method, such as "Conn.ExecContext", or for all if method
// is empty. Hooks run in the order they were added until one fails. The
// returned function takes the hook away.
func (d *Driver) On(method string, run Hook) (remove func()) {
	h := &hook{method, run}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks = append(d.hooks, h)
	return func() { d.removeHook(h) }
}

func (d *Driver) removeHook(h *hook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	// A copy: runHooks may be walking the old slice.
	var rest []*hook
	for _, other := range d.hooks {
		if other != h {
			rest = append(rest, other)
		}
	}
	d.hooks = rest
}

func (d *Driver) runHooks(k Call) error {
	d.mu.Lock()
	hooks := d.hooks
	d.mu.Unlock()
	for _, h := range hooks {
		if h.method != "" && h.method != k.Method {
			continue
		}
		if err := h.run(k); err != nil {
			return err
		}
	}
	return nil
}

// Return makes the method return err.
func Return(err error) Hook { return func(Call) error { return err } }

// Panic makes the method panic with v.
func Panic(v any) Hook { return func(Call) error { panic(v) } }

// Goexit makes the method end its goroutine.
func Goexit() Hook { return func(Call) error { runtime.Goexit(); return nil } }

// Sleep makes the method take longer.
func Sleep(d time.Duration) Hook { return func(Call) error { time.Sleep(d); return nil } }

// UntilEnded makes the method wait for the end of its context and return its
// error. A method without a context goes on at once.
func UntilEnded() Hook {
	return func(k Call) error {
		if k.Ctx == nil {
			return nil
		}
		<-k.Ctx.Done()
		return k.Ctx.Err()
	}
}

// First runs h for the first n calls only.
func First(n int64, h Hook) Hook {
	var calls atomic.Int64
	return func(k Call) error {
		if calls.Add(1) > n {
			return nil
		}
		return h(k)
	}
}

// After runs h for all but the first n calls.
func After(n int64, h Hook) Hook {
	var calls atomic.Int64
	return func(k Call) error {
		if calls.Add(1) <= n {
			return nil
		}
		return h(k)
	}
}
