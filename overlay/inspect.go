package overlay

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/sqlaio/sqlaio/overlay/internal/inspect"
)

func init() {
	inspect.Of = func(engine any, show func(string, []driver.NamedValue) string) *inspect.Snapshot {
		v := &view{at: time.Now(), show: show}
		return v.of(engine.(*Engine))
	}
}

// mostGrouped bounds the calls that are looked at under the queue's mutex.
const mostGrouped = 1000

// A view is a snapshot that is being taken. What needs no lock is done without one.
type view struct {
	at   time.Time
	show func(string, []driver.NamedValue) string

	calls   []seenCall
	commits []inspect.Call
	waiting int
	oldest  time.Time
}

// A seenCall is what is copied of a call under its queue's mutex.
type seenCall struct {
	*call
	lane   *lane // nil: it waits
	since  time.Time
	waited time.Duration
}

func (v *view) of(e *Engine) *inspect.Snapshot {
	s := &inspect.Snapshot{Time: v.at, Engine: e.config.dialect.String(), Closed: e.isClosed()}
	s.Lanes.Open = []inspect.Lane{}
	for _, q := range e.queues() {
		v.queue(q, func(l *lane, state string, since time.Time) {
			open := inspect.Lane{Thread: l.w.ThreadID(), State: state, Age: inspect.Ago(v.at, since)}
			if l.writer != nil {
				s.Writer = &open
			} else {
				s.Lanes.Open = append(s.Lanes.Open, open)
			}
		})
	}
	e.queue.mu.Lock()
	s.Lanes.Most, s.Lanes.Opening = e.queue.most, e.queue.opening
	e.queue.mu.Unlock()
	s.Connections = []inspect.Connection{}
	for _, held := range e.open() {
		s.Connections = append(s.Connections, v.connection(held))
	}
	slices.SortFunc(s.Connections, func(a, b inspect.Connection) int { return cmp.Compare(b.Seconds, a.Seconds) })
	s.Connecting = v.connecting(e)
	s.Running, s.Waiting = v.running(), v.grouped()
	s.Pool = e.leases.view()
	s.Stats = fields(e.Stats())
	s.Times = map[string][]inspect.Bar{"waiting": e.config.waits.bars(), "running": e.config.runs.bars()}
	s.Slow = v.slow(&e.config.slow)
	e.config.mu.Lock()
	defer e.config.mu.Unlock()
	s.Dispatcher = len(e.config.fns)
	return s
}

// queue notes the calls of a queue, and tells of its lanes.
func (v *view) queue(q *queue, lane func(l *lane, state string, since time.Time)) (waiting int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	v.waiting += q.calls.length
	n := 0
	for c := q.calls.first; c != nil && n < mostGrouped; c, n = c.next, n+1 {
		v.calls = append(v.calls, seenCall{c, nil, c.since, 0})
		if v.oldest.IsZero() || c.since.Before(v.oldest) {
			v.oldest = c.since
		}
	}
	for _, l := range q.lanes {
		c, committing := l.current.Load(), l.commits.Load()
		switch {
		case committing != nil:
			v.commits = append(v.commits, inspect.Call{
				What: fmt.Sprintf("COMMIT of a group of %d", committing.members), Age: inspect.Ago(v.at, committing.since),
				State: inspect.Running, On: l.role(), Thread: l.w.ThreadID(),
			})
			lane(l, "running", committing.since)
		case slices.Contains(q.idle, l):
			lane(l, "idle", l.since)
		case c != nil:
			v.calls = append(v.calls, seenCall{c, l, c.begun(), c.waited})
			lane(l, "running", c.begun())
		default: // about to take a call, or to rest
			lane(l, "idle", v.at)
		}
	}
	return q.calls.length
}

func (v *view) connection(s *session) inspect.Connection {
	c := inspect.Connection{
		Place: placed(s.place), Age: inspect.Ago(v.at, s.lease.since), Thread: s.lane.w.ThreadID(),
		InTransaction: s.lane.pc.InTxNow(), Transactions: []inspect.Held{}, Streams: []inspect.Stream{},
	}
	c.Waiting = v.queue(s.queue, func(_ *lane, state string, since time.Time) {
		c.State = state
		if state == "idle" {
			c.Idle = inspect.Ago(v.at, since).Seconds
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.lane.lost.Load():
		c.State = "lost"
	case s.ending != nil:
		c.State = "closing"
	}
	for _, l := range s.levels {
		what := "transaction"
		if l.name != "" {
			what = "savepoint"
		}
		c.Transactions = append(c.Transactions, inspect.Held{What: what, Place: placed(l.place), Age: inspect.Ago(v.at, l.since)})
	}
	for st := range s.streams {
		held := inspect.Held{What: v.show(st.query, nil), Place: placed(st.place), Age: inspect.Ago(v.at, st.since)}
		st.mu.Lock()
		c.Streams = append(c.Streams, inspect.Stream{Held: held, Buffered: len(st.buffered)})
		st.mu.Unlock()
	}
	return c
}

// connecting returns who waits for a connection of their own.
func (v *view) connecting(e *Engine) []inspect.Wait {
	cs := crowds{}
	e.mu.Lock()
	for c, place := range e.makes {
		cs.add(crowd{what: "a connection", place: place}, c.since)
	}
	e.mu.Unlock()
	return v.waits(cs)
}

func (v *view) running() []inspect.Call {
	calls := append([]inspect.Call{}, v.commits...)
	for _, c := range v.calls {
		if c.lane == nil {
			continue
		}
		state := inspect.Running
		switch {
		case c.phase.Load() == over:
			state = inspect.Left
		case c.stopped() != nil:
			state = inspect.Stopping
		}
		last := ""
		if c.kind == function {
			last = v.text(c.lane.pc.Noted(), true, nil)
		}
		calls = append(calls, inspect.Call{
			Last: last, What: v.text(c.describe, c.statement, c.request), Place: placed(c.place), Age: inspect.Ago(v.at, c.since), Waited: inspect.Seconds(c.waited),
			State: state, On: c.lane.role(), Thread: c.lane.w.ThreadID(),
		})
	}
	slices.SortFunc(calls, func(a, b inspect.Call) int { return cmp.Compare(b.Seconds, a.Seconds) })
	return calls
}

// role is what the lane is for.
func (l *lane) role() string {
	switch {
	case l.lease == nil:
		return "connection"
	case l.writer != nil:
		return "writer"
	}
	return "lane"
}

// text is what a call does, as it may be shown.
func (v *view) text(describe string, statement bool, q *request) string {
	switch {
	case !statement:
		return describe
	case q == nil:
		return v.show(describe, nil)
	}
	return v.show(describe, q.Args)
}

// grouped returns the calls that wait, by what they do and where they were made.
func (v *view) grouped() inspect.Waiting {
	w := inspect.Waiting{Count: v.waiting}
	if !v.oldest.IsZero() {
		w.Oldest = inspect.Ago(v.at, v.oldest).Seconds
	}
	cs := crowds{}
	for _, c := range v.calls {
		if c.lane == nil {
			w.Grouped++
			cs.add(crowd{c.describe, c.statement, c.place}, c.since)
		}
	}
	w.Calls = v.waits(cs)
	return w
}

// A crowd is those who wait for the same, from the same place. crowds has how many they
// are, and since when the first one waits.
type (
	crowd struct {
		what      string
		statement bool
		place     site
	}
	crowds    map[crowd]*crowdSize
	crowdSize struct {
		count  int
		oldest time.Time
	}
)

func (cs crowds) add(k crowd, since time.Time) {
	if cs[k] == nil {
		cs[k] = &crowdSize{oldest: since}
	}
	cs[k].count++
	if since.Before(cs[k].oldest) {
		cs[k].oldest = since
	}
}

func (v *view) waits(cs crowds) []inspect.Wait {
	waits := []inspect.Wait{}
	for k, n := range cs {
		waits = append(waits, inspect.Wait{What: v.text(k.what, k.statement, nil), Place: placed(k.place), Count: n.count, Age: inspect.Ago(v.at, n.oldest)})
	}
	slices.SortFunc(waits, func(a, b inspect.Wait) int { return cmp.Compare(b.Seconds, a.Seconds) })
	return waits
}

func (s *leases) view() inspect.Pool {
	st := s.db.Stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	return inspect.Pool{
		Most: st.MaxOpenConnections, Open: st.OpenConnections, InUse: st.InUse, Engine: s.held,
		Waiting: len(s.waiting), Waits: st.WaitCount, Waited: inspect.Seconds(st.WaitDuration),
	}
}

// fields returns the fields of Stats by their names, times in seconds.
func fields(s Stats) map[string]any {
	m := make(map[string]any)
	rv := reflect.ValueOf(s)
	for i := range rv.NumField() {
		f := rv.Field(i).Interface()
		if d, ok := f.(time.Duration); ok {
			f = inspect.Seconds(d)
		}
		m[rv.Type().Field(i).Name] = f
	}
	return m
}

func (h *histogram) bars() []inspect.Bar {
	bars := make([]inspect.Bar, len(h.counts))
	for i := range h.counts {
		bars[i].Count = h.counts[i].Load()
		if i < len(h.counts)-1 {
			bars[i].Below = inspect.Seconds(time.Microsecond << i)
		}
	}
	return bars
}

func (v *view) slow(s *slowCalls) inspect.Slow {
	last, n := s.last()
	slow := inspect.Slow{After: slowAfter.Seconds(), Count: n, Calls: []inspect.SlowCall{}}
	for _, c := range last {
		outcome := "done"
		switch {
		case c.stopped:
			outcome = "stopped"
		case c.failed:
			outcome = "failed"
		}
		slow.Calls = append(slow.Calls, inspect.SlowCall{
			What: v.text(c.describe, c.statement, nil), Place: placed(c.place), Ended: inspect.Ago(v.at, c.at).Since, Seconds: inspect.Seconds(c.ran),
			Waited: inspect.Seconds(c.waited), Outcome: outcome,
		})
	}
	return slow
}

func placed(s site) *inspect.Place {
	if s.IsZero() {
		return nil
	}
	return &inspect.Place{File: s.File(), Line: s.Line(), Function: s.Function()}
}
