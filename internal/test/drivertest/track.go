package drivertest

import (
	"fmt"
	"slices"
	"strings"
)

// A running call of a connection. Guarded by Driver.mu but for interrupted.
type running struct {
	seq         int
	protected   bool
	hit         bool
	interrupted chan struct{}
	outer       *running // the call that was running when this one came in
}

// enter records the call and checks the rules that hold for all calls.
func (o *object) enter(k *Call) *running {
	d := o.d
	ended := k.Ctx != nil && k.Ctx.Err() != nil
	d.mu.Lock()
	defer d.mu.Unlock()

	r := &running{interrupted: make(chan struct{}), protected: strings.Contains(k.Query, "protected")}
	k.Seq = len(d.calls) + 1
	k.Thread = threadID()
	k.Ended = ended
	k.interrupted = r.interrupted
	d.calls = append(d.calls, *k)
	r.seq = k.Seq

	if c := o.conn; c != nil {
		if c.running != nil {
			d.violate("%s %s came in while %s ran", k.Object, k.Method, d.calls[c.running.seq-1])
		}
		if o.closed || c.closed {
			d.violate("%s %s came in after Close", k.Object, k.Method)
		}
		if o.stmt != nil && o.stmt.closed && strings.HasPrefix(k.Method, "Rows.") {
			d.violate("%s %s came in after its statement's Close", k.Object, k.Method)
		}
		r.outer, c.running = c.running, r
	}
	return r
}

// leave notes the outcome of the call that enter began.
func (o *object) leave(r *running, err error, panicked bool) {
	o.d.mu.Lock()
	defer o.d.mu.Unlock()
	k := &o.d.calls[r.seq-1]
	k.Done, k.Err, k.Panicked = true, err, panicked
	if o.conn != nil && o.conn.running == r {
		o.conn.running = r.outer
	}
}

// violate notes a broken rule. d.mu is held.
func (d *Driver) violate(format string, args ...any) {
	d.violations = append(d.violations, fmt.Sprintf(format, args...))
}

// Violations returns the rules seen broken: overlapping calls on a connection,
// calls after Close, also of the rows' statement, closing twice, a connection closed or reused with a
// transaction, statement or rows open, an interrupt that hit a call with
// 'protected' in its query.
func (d *Driver) Violations() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.violations)
}

// OpenObjects returns the names of connections, statements, transactions and
// rows that are open, sorted.
func (d *Driver) OpenObjects() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.openBelow("")
}

// OpenConns returns how many connections are open.
func (d *Driver) OpenConns() int {
	n := 0
	for _, name := range d.OpenObjects() {
		if !strings.Contains(name, ".") {
			n++
		}
	}
	return n
}

// openBelow lists the open objects with a prefix. d.mu is held.
func (d *Driver) openBelow(prefix string) []string {
	var names []string
	for name := range d.open {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// IsOpen reports whether a connection is open.
func (d *Driver) IsOpen(conn int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open[fmt.Sprintf("c%d", conn)]
}
