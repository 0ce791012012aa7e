package conformance

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// An Env is what a case's program works with: a fresh driver, a pool on it,
// and a place to write down what it sees. Two runs of a program on equal
// drivers must write down the same.
type Env struct {
	Kind   drivertest.Features
	Driver *drivertest.Driver
	DB     *sql.DB

	patience time.Duration // as the suite's

	open opener
	tap  *tap
	late []*sql.Stmt // statements to close with flush
	ends []func()    // to run when the program has ended

	mu       sync.Mutex // guards the fields below
	notes    []string
	seen     int // notes when the program has ended; 0: it has not
	finished *outcome
}

func (e *Env) openDB() error {
	c, err := e.open(e.Driver, "dsn")
	if err != nil {
		return err
	}
	e.tap = &tap{Connector: c}
	e.DB = sql.OpenDB(e.tap.connector())
	return nil
}

// See writes down values under a label.
func (e *Env) See(label string, values ...any) {
	var b strings.Builder
	b.WriteString(label)
	for _, v := range values {
		b.WriteString(" ")
		if err, ok := v.(error); ok {
			b.WriteString(describeError(err))
		} else {
			b.WriteString(drivertest.Render(v))
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes = append(e.notes, b.String())
}

// Err writes down an error and reports whether there was one.
func (e *Env) Err(label string, err error) bool {
	e.See(label + ": " + describeError(err))
	return err != nil
}

// Stats writes down the pool's statistics.
func (e *Env) Stats(label string) {
	s := e.DB.Stats()
	e.See(fmt.Sprintf("pool %s: %d open, %d in use, %d idle, waited %d times, closed %d idle, %d idle time, %d lifetime; %d in the driver",
		label, s.OpenConnections, s.InUse, s.Idle, s.WaitCount, s.MaxIdleClosed, s.MaxIdleTimeClosed,
		s.MaxLifetimeClosed, e.Driver.OpenConns()))
}

// Catch runs fn and writes down its panic. It reports whether there was one.
func (e *Env) Catch(label string, fn func()) (panicked bool) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		panicked = true
		if err, ok := v.(error); ok {
			e.See(label+": panic with an error", describeError(err), fmt.Sprintf("%T", v))
			return
		}
		e.See(label+": panic", v, fmt.Sprintf("%T", v))
	}()
	fn()
	return false
}

// Until waits for something that another goroutine brings about.
func (e *Env) Until(what string, reached func() bool) {
	for late := limit(e.patience / 4); !reached(); time.Sleep(50 * time.Microsecond) {
		if late() {
			e.See(fmt.Sprintf(broken+" it waited in vain for %s\n%s", what, debug.Stack()))
			return
		}
	}
}

// UntilIdle waits until no connection is in use.
func (e *Env) UntilIdle() {
	e.Until("the connections to be idle", func() bool { return e.DB.Stats().InUse == 0 })
}

// UntilCalled waits until a method was called n times in all.
func (e *Env) UntilCalled(method string, n int) {
	e.Until(fmt.Sprintf("call %d of %s", n, method), func() bool { return e.Driver.Count(method) >= n })
}

// Go runs fn on another goroutine. The returned function waits for it.
func (e *Env) Go(fn func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	return func() { <-done }
}

// later closes a statement when the program has ended.
func (e *Env) later(s *sql.Stmt) { e.late = append(e.late, s) }

// atEnd runs fn when everything has been observed.
func (e *Env) atEnd(fn func()) { e.ends = append(e.ends, fn) }

func (e *Env) flush() {
	for _, s := range e.late {
		e.Err("Stmt.Close", s.Close())
	}
	e.late = nil
}

// background is a context that never ends.
var background = context.Background()
