package conformance

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// broken begins the notes that no program should make even on the bare driver.
const broken = "BROKEN PROGRAM:"

// An outcome is all that was observed of one side.
type outcome struct {
	notes      []string
	seen       []string // notes of the program itself
	log        []drivertest.Call
	violations []string
	open       []string // objects left open
	threads    []string // calls on the wrong thread
}

// play runs a program on a driver of its own.
func (s *suite) play(open opener, kind drivertest.Features, body func(*Env)) outcome {
	e := &Env{Kind: kind, Driver: drivertest.New(kind), open: open, patience: s.patience}
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.play(body)
	}()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := limit(s.patience); ; {
		select {
		case <-done:
			return e.outcome()
		case <-tick.C:
			if late() {
				e.See(fmt.Sprintf(broken+" it hangs\n%s", stacks()))
				e.Driver.Release()
				return e.outcome()
			}
		}
	}
}

// limit returns a function, to be called again and again, that reports when
// the time d has passed. Time in which the whole process stood still, because it
// was stopped or starved, counts little.
func limit(d time.Duration) func() bool {
	last := time.Now()
	var passed time.Duration
	return func() bool {
		now := time.Now()
		passed += min(now.Sub(last), 20*time.Millisecond)
		last = now
		return passed > d
	}
}

// play runs the program, closes the pool, and takes down what there was to
// see before it cleans up.
func (e *Env) play(body func(*Env)) {
	defer e.cleanUp()
	if err := e.openDB(); err != nil {
		e.Err("open", err)
		e.finished = e.observe()
		return
	}
	defer func() {
		if v := recover(); v != nil {
			e.See(fmt.Sprintf(broken+" it panics with %v\n%s", v, stacks()))
		}
		e.finished = e.observe()
	}()
	body(e)
	e.flush()
	e.mu.Lock()
	e.seen = len(e.notes)
	e.mu.Unlock()
	e.Stats("at the end")
	e.Err("DB.Close", e.DB.Close())
	e.Stats("after DB.Close")
}

func (e *Env) cleanUp() {
	e.Driver.Release()
	if e.DB != nil {
		e.DB.Close()
		e.tap.closeLost(e.Driver)
	}
	for _, fn := range e.ends {
		fn()
	}
}

// outcome is what play saw, or what can be seen if it hangs.
func (e *Env) outcome() outcome {
	e.mu.Lock()
	finished := e.finished
	e.mu.Unlock()
	if finished == nil {
		return *e.observe()
	}
	return *finished
}

func (e *Env) observe() *outcome {
	d := e.Driver
	o := outcome{log: d.Log(), violations: d.Violations(), open: d.OpenObjects(), threads: d.ThreadViolations()}
	e.mu.Lock()
	defer e.mu.Unlock()
	o.notes = slices.Clone(e.notes)
	o.seen = o.notes
	if e.seen > 0 {
		o.seen = o.notes[:e.seen]
	}
	return &o
}

func stacks() string {
	buf := make([]byte, 1<<16)
	return string(buf[:runtime.Stack(buf, true)])
}
