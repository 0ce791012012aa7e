package overlay_test

import (
	"context"
	"errors"
	"slices"
)

// end lets all futures complete, and compares them with what must have become of
// them.
func (m *futureMachine) end() {
	for _, l := range m.leaves { // in the order in which they get a lane
		if !l.mustStop(map[*futureNode]bool{}) {
			m.open(l)
		}
		within(m.t, "the end of a leaf", l.f.Done())
	}
	for _, n := range m.nodes {
		within(m.t, "the end of "+string(n.kind), n.f.Done())
		until(m.t, "the callbacks", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.told) >= n.asked
		})
	}
	if err := m.e.Shutdown(background); err != nil {
		m.t.Fatalf("Shutdown: %v", err)
	}
	m.abort()
	if len(m.wrong) > 0 {
		m.t.Fatalf("%v", m.wrong)
	}
	for _, n := range m.nodes {
		m.verify(n)
	}
	if m.called.Load() > m.dispatched.Load() {
		m.t.Fatalf("%d functions were called by the dispatcher, which was given %d", m.called.Load(), m.dispatched.Load())
	}
	m.d.check(m.t)
}

// abort lets go of everything, also after a failure.
func (m *futureMachine) abort() {
	for _, l := range m.leaves {
		m.open(l)
		l.end()
	}
	if m.db == nil {
		return
	}
	m.e.Shutdown(background)
	close(m.quit)
	m.waits.Wait()
	m.db.Close()
	m.db = nil
}

// mustStop reports whether a node was cancelled for sure, or will be: by the
// test or by what was made of it.
func (n *futureNode) mustStop(seen map[*futureNode]bool) bool {
	if seen[n] {
		return false
	}
	seen[n] = true
	if n.cancelled {
		return true
	}
	for _, p := range n.parents {
		_, err, done := p.f.TryResult()
		switch {
		case done && p.kind == allNode && err != nil, done && p.kind == anyNode && err == nil:
			return true
		case p.mustStop(seen):
			return true
		}
	}
	return false
}

// verify compares a node's result with those of its children.
func (m *futureMachine) verify(n *futureNode) {
	v, err, _ := n.f.TryResult()
	if n.f.Cancel(); n.runs.Load() > 1 {
		m.t.Fatalf("%s %d ran %d times", n.kind, n.id, n.runs.Load())
	}
	right := false
	switch n.kind {
	case leafNode:
		right = n.rightLeaf(v, err)
	case thenNode:
		cv, cerr, _ := n.children[0].f.TryResult()
		if cerr != nil {
			right = err == cerr && n.runs.Load() == 0
		} else {
			right = n.isPlanned(err) && n.runs.Load() == 1 && (err != nil || v == cv+1000)
		}
	case allNode:
		right = n.rightAll(v, err)
	case anyNode:
		right = n.rightAny(v, err)
	}
	if !right {
		m.t.Fatalf("%s %d, planned %s, gave %v, %v", n.kind, n.id, n.plan, v, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.told) != n.asked {
		m.t.Fatalf("%s %d: %d callbacks of %d were called: %v", n.kind, n.id, len(n.told), n.asked, n.told)
	}
	if !slices.IsSorted(n.told) {
		m.t.Fatalf("%s %d: callbacks were called in the order %v", n.kind, n.id, n.told)
	}
}

func (n *futureNode) rightLeaf(v int, err error) bool {
	if err == context.Canceled && n.mustStop(map[*futureNode]bool{}) {
		return v == 0
	}
	return n.runs.Load() == 1 && n.isPlanned(err) && (err != nil || v == n.id)
}

func (n *futureNode) rightAll(v int, err error) bool {
	var vs []int
	var errs []error
	for _, c := range n.children {
		cv, cerr, _ := c.f.TryResult()
		vs = append(vs, cv)
		if cerr != nil {
			errs = append(errs, cerr)
		}
	}
	if len(errs) == 0 {
		return err == nil && v == sum(vs)
	}
	return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
}

func (n *futureNode) rightAny(v int, err error) bool {
	failed := 0
	for _, c := range n.children {
		cv, cerr, _ := c.f.TryResult()
		if cerr == nil && err == nil && cv == v || cerr != nil && cerr == err {
			if err == nil {
				return true
			}
		}
		if cerr != nil {
			failed++
		}
	}
	return err != nil && failed == len(n.children)
}

// open lets a leaf end.
func (m *futureMachine) open(l *futureNode) {
	if !l.opened {
		l.opened = true
		close(l.gate)
	}
}
