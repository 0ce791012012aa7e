package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// The model of futures: leaves are calls that wait for the test's leave to end, in
// the way that was planned; nodes are made of them by Then, All and Any. What a
// leaf was cancelled by is known, and so is all that follows from the leaves' ends.

const (
	futureChecks = 2200
	futureSteps  = 48
)

// TestFutureModel proves that futures complete once, with the right value, and
// that whoever asked is told once.
func TestFutureModel(t *testing.T) {
	modelCheck(t, futureChecks, func(rt *rapid.T, steps *atomic.Int64) {
		m := newFutureMachine(rt)
		defer m.abort()
		for range futureSteps {
			m.step()
			steps.Add(1)
		}
		m.end()
	})
}

type futureMachine struct {
	t      *rapid.T
	d      *scripted
	db     *sql.DB
	e      *overlay.Engine
	nodes  []*futureNode
	leaves []*futureNode

	dispatched atomic.Int64 // functions that the dispatcher was given
	called     atomic.Int64 // functions that were called by it, or had to be
	queue      chan func()  // the dispatcher's; nil: there is none
	quit       chan struct{}
	loop       string // its goroutine

	waits sync.WaitGroup // goroutines of the test
	mu    sync.Mutex
	wrong []string // guarded by mu: what goroutines and callbacks saw
}

type futureKind string

const (
	leafNode futureKind = "leaf"
	thenNode futureKind = "then"
	allNode  futureKind = "all"
	anyNode  futureKind = "any"
)

type futurePlan string

const (
	planValue futurePlan = "value"
	planError futurePlan = "error"
	planPanic futurePlan = "panic"
)

var futurePlans = []futurePlan{planValue, planValue, planValue, planError, planPanic}

// futureNode is a future, and what is to become of it.
type futureNode struct {
	kind     futureKind
	id       int
	f        *overlay.Future[int]
	plan     futurePlan
	children []*futureNode
	parents  []*futureNode

	gate      chan struct{} // a leaf's: it may end
	opened    bool
	end       context.CancelFunc // of a leaf's context
	cancelled bool               // by the test
	started   atomic.Bool        // a leaf's
	runs      atomic.Int32       // of the function of a leaf or Then

	mu    sync.Mutex
	told  []int // guarded by mu: which callbacks were called
	asked int   // callbacks
}

// errPlanned is a leaf's own error.
type errPlanned struct{ id int }

func (e errPlanned) Error() string { return fmt.Sprint("planned error of ", e.id) }

func newFutureMachine(t *rapid.T) *futureMachine {
	m := &futureMachine{t: t, d: newScripted(), quit: make(chan struct{})}
	opts := []overlay.Option{overlay.WithLanes(rapid.IntRange(1, 3).Draw(t, "lanes"))}
	if rapid.Bool().Draw(t, "dispatcher") {
		m.queue = make(chan func(), 1<<14)
		opts = append(opts, overlay.WithDispatcher(func(fn func()) { m.dispatched.Add(1); m.queue <- fn }))
		known := make(chan string)
		m.waits.Add(1)
		go func() {
			defer m.waits.Done()
			known <- goroutine()
			for {
				select {
				case fn := <-m.queue:
					fn()
				case <-m.quit:
					return
				}
			}
		}()
		m.loop = <-known
	}
	m.db = m.d.openDB()
	m.e = overlay.New(m.db, opts...)
	m.leaf()
	return m
}

func (m *futureMachine) fault(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func (m *futureMachine) step() {
	n := m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(m.t, "node")]
	switch rapid.SampledFrom([]string{"leaf", "leaf", "then", "all", "any", "open", "open", "open",
		"cancel", "endContext", "await", "onDone", "onDone", "asCompleted"}).Draw(m.t, "action") {
	case "leaf":
		m.leaf()
	case "then":
		m.then(n)
	case "all", "any":
		m.combine(rapid.Bool().Draw(m.t, "all"))
	case "open":
		m.open(m.someLeaf())
	case "cancel":
		if rapid.IntRange(0, 2).Draw(m.t, "really") == 0 {
			n.cancelled = true
			n.f.Cancel()
		}
	case "endContext":
		l := m.someLeaf()
		l.cancelled = true
		l.end()
	case "await":
		m.await(n)
	case "onDone":
		m.onDone(n)
	case "asCompleted":
		m.asCompleted()
	}
}

func (m *futureMachine) someLeaf() *futureNode {
	return m.leaves[rapid.IntRange(0, len(m.leaves)-1).Draw(m.t, "leaf")]
}

func (m *futureMachine) add(n *futureNode) {
	for _, c := range n.children {
		c.parents = append(c.parents, n)
	}
	m.nodes = append(m.nodes, n)
}

func (m *futureMachine) leaf() {
	n := &futureNode{kind: leafNode, id: len(m.nodes), gate: make(chan struct{})}
	n.plan = rapid.SampledFrom(futurePlans).Draw(m.t, "plan")
	var ctx context.Context
	ctx, n.end = context.WithCancel(background)
	n.f = overlay.RunInThread(ctx, m.e, func(ctx context.Context, _ *sql.Conn) (int, error) {
		n.runs.Add(1)
		n.started.Store(true)
		select {
		case <-n.gate:
			return n.outcome(n.id)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	})
	m.leaves = append(m.leaves, n)
	m.add(n)
}

func (n *futureNode) outcome(v int) (int, error) {
	switch n.plan {
	case planError:
		return 0, errPlanned{n.id}
	case planPanic:
		panic(errPlanned{n.id})
	}
	return v, nil
}

func (m *futureMachine) then(c *futureNode) {
	n := &futureNode{kind: thenNode, id: len(m.nodes), children: []*futureNode{c}}
	n.plan = rapid.SampledFrom(futurePlans).Draw(m.t, "plan")
	n.f = overlay.Then(c.f, func(v int) (int, error) {
		n.runs.Add(1)
		m.inLoop()
		return n.outcome(v + 1000)
	})
	m.add(n)
}

// inLoop notes a fault if a function is called elsewhere than where the
// dispatcher calls functions.
func (m *futureMachine) inLoop() {
	if m.queue == nil {
		return
	}
	m.called.Add(1)
	if goroutine() != m.loop {
		m.fault("a function was not called by the dispatcher")
	}
}

func (m *futureMachine) combine(all bool) {
	var fs []*overlay.Future[int]
	n := &futureNode{kind: anyNode, id: len(m.nodes)}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(m.nodes)-1), 1, 5).Draw(m.t, "children") {
		n.children = append(n.children, m.nodes[i])
		fs = append(fs, m.nodes[i].f)
	}
	if !all {
		n.f = overlay.Any(fs...)
		m.add(n)
		return
	}
	n.kind = allNode
	n.f = overlay.Then(overlay.All(fs...), func(vs []int) (int, error) { return sum(vs), nil })
	m.add(n)
}

// sum tells the order of vs too.
func sum(vs []int) (s int) {
	for _, v := range vs {
		s = s*7 + v
	}
	return s
}

// await has a goroutine wait for a node, with a context that may end.
func (m *futureMachine) await(n *futureNode) {
	ctx, end := context.WithCancel(background)
	patient := rapid.Bool().Draw(m.t, "patient")
	m.waits.Add(1)
	go func() {
		defer m.waits.Done()
		defer end()
		v, err := n.f.Await(ctx)
		if !isDone(n.f) && (patient || err != context.Canceled || v != 0) {
			m.fault("Await of %s %d that is not done returned %v, %v", n.kind, n.id, v, err)
		}
		if isDone(n.f) && patient {
			if v2, err2, _ := n.f.TryResult(); v2 != v || err2 != err {
				m.fault("%s %d gave %v, %v and then %v, %v", n.kind, n.id, v, err, v2, err2)
			}
		}
	}()
	if !patient {
		end()
	}
}

func (m *futureMachine) onDone(n *futureNode) {
	id := n.asked
	n.asked++
	// With a function before it, of OnDone's or Then's, this one may have to wait
	// for that one's return.
	alone := id == 0 && !slices.ContainsFunc(n.parents, func(p *futureNode) bool { return p.kind == thenNode })
	before := isDone(n.f) && alone
	var told atomic.Bool
	n.f.OnDone(func(v int, err error) {
		m.inLoop()
		if v2, err2, ok := n.f.TryResult(); !ok || v2 != v || err2 != err {
			m.fault("OnDone of %s %d told %v, %v; it is %v, %v, %v", n.kind, n.id, v, err, v2, err2, ok)
		}
		n.mu.Lock()
		n.told = append(n.told, id)
		n.mu.Unlock()
		told.Store(true)
	})
	if before && m.queue == nil && !told.Load() {
		m.fault("OnDone of %s %d, which is done, returned before the call", n.kind, n.id)
	}
}

// asCompleted has a goroutine iterate over some futures.
func (m *futureMachine) asCompleted() {
	var fs []*overlay.Future[int]
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(m.nodes)-1), 1, 6, rapid.ID[int]).Draw(m.t, "of") {
		fs = append(fs, m.nodes[i].f)
	}
	most := rapid.IntRange(1, 8).Draw(m.t, "most")
	m.waits.Add(1)
	go func() {
		defer m.waits.Done()
		var seen []*overlay.Future[int]
		for f := range overlay.AsCompleted(background, fs...) {
			if !isDone(f) || slices.Contains(seen, f) || !slices.Contains(fs, f) {
				m.fault("AsCompleted gave a future too early, twice or from elsewhere")
			}
			if seen = append(seen, f); len(seen) == most {
				break
			}
		}
		if len(seen) < min(most, len(fs)) {
			m.fault("AsCompleted gave %d futures of %d", len(seen), len(fs))
		}
	}()
}

func isDone(f *overlay.Future[int]) bool {
	_, _, ok := f.TryResult()
	return ok
}

// isPlanned reports whether err is how a node with a plan ends by itself.
func (n *futureNode) isPlanned(err error) bool {
	var p *threadpin.PanicError
	switch n.plan {
	case planError:
		return err == error(errPlanned{n.id})
	case planPanic:
		return errors.As(err, &p) && p.Value == any(errPlanned{n.id}) && len(p.Stack) > 0
	}
	return err == nil
}
