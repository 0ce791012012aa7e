package overlay_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

func (m *laneMachine) step() {
	action := rapid.SampledFrom([]string{"submit", "submit", "submit", "submit", "end", "end", "end",
		"cancel", "burst", "shutdown"}).Draw(m.t, "action")
	switch action {
	case "submit":
		c := m.prepare(rapid.SampledFrom(laneKinds).Draw(m.t, "kind"))
		c.submit()
		m.take(c)
	case "end":
		if len(m.running) > 0 {
			m.finish(m.pick(m.running))
		}
	case "cancel":
		if len(m.running)+len(m.waiting) > 0 {
			m.cancel(m.pick(slices.Concat(m.running, m.waiting)))
		}
	case "burst":
		if len(m.running) < m.lanes && m.shut == nil {
			m.burst()
		}
	case "shutdown":
		if m.shut == nil && rapid.IntRange(0, 9).Draw(m.t, "really") == 0 {
			m.shutdown(rapid.Bool().Draw(m.t, "patient"))
		}
	}
	m.rest()
}

func (m *laneMachine) pick(of []*laneCall) *laneCall {
	return of[rapid.IntRange(0, len(of)-1).Draw(m.t, "call")]
}

// take is what becomes of a new call.
func (m *laneMachine) take(c *laneCall) {
	switch {
	case m.shut != nil:
		m.expect(c, overlay.ErrClosed)
		m.want.Refused++
	case len(m.running) < m.lanes:
		m.running = append(m.running, c)
		m.want.Run++
	case len(m.waiting) == m.queue:
		m.expect(c, overlay.ErrQueueFull)
		m.want.Refused++
	default:
		m.waiting = append(m.waiting, c)
	}
}

// freed takes a call off its lane, which the next one gets.
func (m *laneMachine) freed(c *laneCall) {
	i := slices.Index(m.running, c)
	m.running = slices.Delete(m.running, i, i+1)
	if len(m.waiting) > 0 {
		m.running = append(m.running, m.waiting[0])
		m.waiting = m.waiting[1:]
		m.want.Run++
	}
}

func (m *laneMachine) expect(c *laneCall, want error) {
	m.t.Helper()
	if err := c.outcome(); err != want {
		m.t.Fatalf("%s %d gave %v, not %v", c.kind, c.id, err, want)
	}
}

// expectStopped is expect for a call that was stopped. One that ran may be left
// instead: on a busy machine its lane gets no processor in time.
func (m *laneMachine) expectStopped(c *laneCall, want error) {
	m.t.Helper()
	if err := c.outcome(); slices.Contains(m.running, c) && errors.Is(err, overlay.ErrOutcomeUnknown) && errors.Is(err, want) {
		return
	}
	m.expect(c, want)
}

// finish lets a call end.
func (m *laneMachine) finish(c *laneCall) {
	c.open = true
	close(c.gate)
	if err := c.outcome(); !c.isEnd(err) {
		m.t.Fatalf("%s %d gave %v", c.kind, c.id, err)
	}
	m.freed(c)
}

func (m *laneMachine) cancel(c *laneCall) {
	if c.open {
		return
	}
	if rapid.Bool().Draw(m.t, "by its context") {
		c.end()
	} else {
		c.cancel()
	}
	m.expectStopped(c, context.Canceled)
	if i := slices.Index(m.waiting, c); i >= 0 {
		m.waiting = slices.Delete(m.waiting, i, i+1)
		m.want.Withdrawn++
		return
	}
	m.freed(c)
}

// burst makes many calls at once while others are cancelled, until all have
// ended.
func (m *laneMachine) burst() {
	var calls []*laneCall
	cancel := rapid.SliceOfN(rapid.IntRange(0, 3), 12, 12).Draw(m.t, "cancels")
	for range rapid.IntRange(2, 12).Draw(m.t, "calls") {
		kind := rapid.SampledFrom(laneKinds).Draw(m.t, "kind")
		c := m.prepare(kind)
		c.open = true
		close(c.gate)
		calls = append(calls, c)
	}
	m.mu.Lock()
	before := len(m.started)
	m.mu.Unlock()
	made := make(chan *laneCall, len(calls))
	var canceller sync.WaitGroup
	canceller.Add(1)
	go func() {
		defer canceller.Done()
		i := 0
		for c := range made {
			switch cancel[i] {
			case 0:
				c.end()
			case 1:
				c.cancel()
			}
			i++
		}
	}()
	for _, c := range calls {
		c.submit()
		made <- c
	}
	close(made)
	canceller.Wait()
	for _, c := range calls {
		m.settle(c, c.outcome())
	}
	if m.mu.Lock(); m.lanes == 1 && !slices.IsSorted(m.started[before:]) {
		m.t.Fatalf("on one lane calls started in the order %v", m.started[before:])
	}
	m.mu.Unlock()
}

// settle counts what has become of a call of a burst.
func (m *laneMachine) settle(c *laneCall, err error) {
	ran := c.runs.Load() == 1
	switch {
	case err == overlay.ErrQueueFull && !ran:
		m.want.Refused++
	case err == driver.ErrBadConn && c.kind == laneBad && !ran: // not tried again, since it was cancelled
		m.want.Run++
	case err == context.Canceled && !ran:
		m.want.Withdrawn++
	case ran && (err == context.Canceled || c.isEnd(err)):
		m.want.Run++
	default:
		m.t.Fatalf("%s %d, which ran: %v, gave %v", c.kind, c.id, ran, err)
	}
}

// shutdown shuts the engine down, with a context that does not end or has ended.
func (m *laneMachine) shutdown(patient bool) {
	ctx, cancel := context.WithCancel(background)
	if !patient {
		cancel()
	}
	drains := &seenContext{Context: ctx, seen: make(chan struct{})}
	result := make(chan error, 1)
	m.shut = make(chan error, 1)
	go func() {
		defer cancel()
		result <- m.e.Shutdown(drains)
	}()
	within(m.t, "Shutdown refusing calls", drains.seen)
	if patient {
		go func() { m.shut <- <-result }()
		return
	}
	busy := len(m.running) > 0
	select {
	case err := <-result:
		if busy && !errors.Is(err, context.Canceled) {
			m.t.Fatalf("Shutdown gave %v", err)
		}
	case <-time.After(patience):
		m.t.Fatalf("Shutdown does not return\n%s", stacks())
	}
	m.shut <- nil
	for _, c := range slices.Concat(m.running, m.waiting) {
		if !c.open {
			m.expectStopped(c, overlay.ErrClosed)
		}
	}
	m.want.Withdrawn += int64(len(m.waiting))
	m.running, m.waiting = nil, nil
}

// seenContext tells when it is first asked for its end.
type seenContext struct {
	context.Context
	once sync.Once
	seen chan struct{}
}

func (c *seenContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.seen) })
	return c.Context.Done()
}

// rest waits until everything has come to rest, which must be where the model is.
func (m *laneMachine) rest() {
	m.want.Queued = len(m.waiting)
	var got overlay.Stats
	at := func() bool {
		got = m.e.Stats()
		busy := got.Lanes - got.Idle
		got.Waiting, got.Lanes, got.Idle = 0, 0, 0
		return got == m.want && busy == len(m.running) && m.allStarted()
	}
	for start := time.Now(); !at(); runtime.Gosched() {
		if time.Since(start) > patience {
			m.t.Fatalf("Stats are %+v, want %+v with %d running", m.e.Stats(), m.want, len(m.running))
		}
	}
	for _, c := range m.waiting {
		if c.runs.Load() != 0 {
			m.t.Fatalf("%s %d runs before its turn", c.kind, c.id)
		}
	}
}

func (m *laneMachine) allStarted() bool {
	return !slices.ContainsFunc(m.running, func(c *laneCall) bool { return c.runs.Load() == 0 })
}

// end lets all calls end and closes the engine.
func (m *laneMachine) end() {
	if m.shut == nil && rapid.Bool().Draw(m.t, "shut down early") {
		m.shutdown(true)
	}
	for len(m.running) > 0 {
		m.finish(m.running[0])
		m.rest()
	}
	if m.shut == nil {
		m.shutdown(true)
	}
	select {
	case err := <-m.shut:
		if err != nil {
			m.t.Fatalf("Shutdown: %v", err)
		}
	case <-time.After(patience):
		m.t.Fatalf("Shutdown does not return\n%s", stacks())
	}
	m.shut <- nil
	m.rest()
	m.db.Close()
	for _, c := range m.all {
		if c.runs.Load() > 1 || c.late.Load() {
			m.t.Fatalf("%s %d ran %d times, after its end: %v", c.kind, c.id, c.runs.Load(), c.late.Load())
		}
	}
	if most := m.most.Load(); most > int64(m.lanes) {
		m.t.Fatalf("%d calls ran at once on %d lanes", most, m.lanes)
	}
	m.d.check(m.t)
}

// abort lets go of everything after a failure.
func (m *laneMachine) abort() {
	for _, c := range m.all {
		if !c.open {
			c.open = true
			close(c.gate)
		}
		if c.end != nil {
			c.end()
		}
	}
	if m.t.Failed() {
		return // whatever hangs is in the stacks
	}
	m.e.Shutdown(background)
	m.db.Close()
}
