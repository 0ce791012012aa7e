package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// The model of lanes: calls of all kinds that end when the test lets them. After
// each step everything has come to rest, and then the calls that run are
// just those that the model has running: as many as there are lanes, the oldest
// first. In a burst steps do not wait for each other.

const (
	laneChecks = 2200
	laneSteps  = 48
)

// TestLaneModel proves that calls run once, first come first served, on every lane
// there is, or are refused or withdrawn; and that Stats says so.
func TestLaneModel(t *testing.T) {
	modelCheck(t, laneChecks, func(rt *rapid.T, steps *atomic.Int64) {
		m := newLaneMachine(rt)
		defer m.abort()
		for range laneSteps {
			m.step()
			steps.Add(1)
		}
		m.end()
	})
}

type laneMachine struct {
	t     *rapid.T
	d     *scripted
	db    *sql.DB
	e     *overlay.Engine
	lanes int
	queue int

	all     []*laneCall
	waiting []*laneCall // the model's
	running []*laneCall // the model's
	want    overlay.Stats
	shut    chan error // Shutdown has been called: its result

	now, most atomic.Int64 // calls in the driver or in functions

	mu      sync.Mutex
	byQuery map[string]*laneCall // guarded by mu
	byConn  map[int]*laneCall    // guarded by mu: what runs in the driver
	started []int                // guarded by mu: ids, in the order of their first start
}

type laneKind string

const (
	laneExec  laneKind = "exec"  // waits in the driver, can be interrupted
	laneBad   laneKind = "bad"   // exec, after connections have died of it
	laneFunc  laneKind = "func"  // a function that returns
	lanePanic laneKind = "panic" // one that panics
	laneExit  laneKind = "exit"  // one that ends its goroutine
)

var laneKinds = []laneKind{laneExec, laneExec, laneBad, laneFunc, lanePanic, laneExit}

type laneCall struct {
	m    *laneMachine
	id   int
	kind laneKind
	bad  int           // guarded by m.mu: connections that are still to die
	gate chan struct{} // it may end
	open bool          // gate is
	intr chan struct{} // the driver was interrupted
	hit  sync.Once     // closes intr
	end  context.CancelFunc
	runs atomic.Int64 // times that it has begun in earnest
	over atomic.Bool  // its future is done
	late atomic.Bool  // it began after that

	cancel  func()
	done    <-chan struct{}
	outcome func() error
}

func newLaneMachine(t *rapid.T) *laneMachine {
	m := &laneMachine{t: t, d: newScripted(), byQuery: map[string]*laneCall{}, byConn: map[int]*laneCall{}}
	m.lanes = rapid.IntRange(1, 4).Draw(t, "lanes")
	m.queue = rapid.IntRange(1, 6).Draw(t, "queue")
	m.d.onInterrupt = m.interrupted
	m.db = m.d.openDB()
	m.e = overlay.New(m.db, overlay.WithLanes(m.lanes), overlay.WithQueue(m.queue))
	m.d.On("Conn.ExecContext", m.entered)
	m.d.On("Conn.QueryContext", m.entered)
	return m
}

// entered runs in the driver, on the lane's thread.
func (m *laneMachine) entered(k drivertest.Call) error {
	m.mu.Lock()
	c := m.byQuery[k.Query]
	if c.bad > 0 {
		c.bad--
		m.mu.Unlock()
		return driver.ErrBadConn
	}
	m.byConn[k.Conn] = c
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.byConn, k.Conn)
	}()
	return c.body(background)
}

func (m *laneMachine) interrupted(conn int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.byConn[conn]; c != nil {
		c.hit.Do(func() { close(c.intr) })
	}
}

// body is what a call does in the driver or in its function.
func (c *laneCall) body(ctx context.Context) error {
	m := c.m
	n := m.now.Add(1)
	defer m.now.Add(-1)
	for old := m.most.Load(); n > old && !m.most.CompareAndSwap(old, n); old = m.most.Load() {
	}
	if c.over.Load() {
		c.late.Store(true)
	}
	m.mu.Lock()
	m.started = append(m.started, c.id)
	m.mu.Unlock()
	c.runs.Add(1)
	select {
	case <-c.gate:
	case <-ctx.Done():
		return ctx.Err()
	case <-c.intr:
		return drivertest.ErrInterrupted
	}
	switch c.kind {
	case lanePanic:
		panic(c.id)
	case laneExit:
		runtime.Goexit()
	}
	return nil
}

// prepare makes what submit submits.
func (m *laneMachine) prepare(kind laneKind) *laneCall {
	c := &laneCall{m: m, id: len(m.all), kind: kind, gate: make(chan struct{}), intr: make(chan struct{})}
	if kind == laneBad {
		c.bad = rapid.IntRange(1, 2).Draw(m.t, "deaths")
	}
	m.all = append(m.all, c)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byQuery[c.query()] = c
	return c
}

func (c *laneCall) query() string {
	return fmt.Sprintf("noop -- %d", c.id)
}

// submit makes the call, and waits for nothing.
func (c *laneCall) submit() {
	ctx, end := context.WithCancel(background)
	c.end = end
	switch e := c.m.e; c.kind {
	case laneExec, laneBad:
		follow(c, e.ExecAsync(ctx, c.query()))
	default:
		follow(c, overlay.RunInThread(ctx, e, func(ctx context.Context, _ *sql.Conn) (int, error) {
			return c.id, c.body(ctx)
		}))
	}
}

func follow[T any](c *laneCall, f *overlay.Future[T]) {
	c.cancel, c.done = f.Cancel, f.Done()
	c.outcome = func() error {
		within(c.m.t, fmt.Sprintf("the end of %s %d", c.kind, c.id), c.done)
		_, err, _ := f.TryResult()
		return err
	}
	f.OnDone(func(T, error) { c.over.Store(true) })
}

// isEnd reports whether err is how the call ends by itself.
func (c *laneCall) isEnd(err error) bool {
	var p *threadpin.PanicError
	switch c.kind {
	case lanePanic:
		return errors.As(err, &p) && p.Value == any(c.id)
	case laneExit:
		return err == threadpin.ErrGoexit
	}
	return err == nil
}
