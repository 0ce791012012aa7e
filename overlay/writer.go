package overlay

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// WithWriter gives an Engine on an SQLite file one connection that writes, and has its
// lanes only read. What has queued up for the writer is committed as one group:
// single statements that write, batches with InTx, and functions of Write. Their
// futures complete after the COMMIT. A call that fails takes back its own changes
// alone. (What SQLite keeps of a statement with OR FAIL is kept.) Statements that cannot
// be in a group, such as PRAGMA, VACUUM and texts of several statements, and batches
// without InTx, run alone, in their turn.
//
// Transactions of WithTx and BeginAsync begin with BEGIN IMMEDIATE on connections of
// their own. They, and all else that writes through the Engine, its Conns and its SyncDB,
// take turns with the groups, so that nobody meets a lock of this process. Read-only
// transactions need no turn; what writes in them is refused. Locks of other processes
// are waited for until the call's context ends. A function of RunInThread on the Engine
// is called on a lane. If it returns the error of a write, which lanes refuse, it is called
// once more, on the writer's thread.
func WithWriter() Option { return func(c *config) { c.writer = true } }

// Write calls fn on the writer's thread, as a member of a group: see WithWriter. What
// fn does with its sql.Conn is committed if it returns nil, and else taken back. The future
// completes after the COMMIT. fn must use the context that it gets, and must not begin or
// end a transaction. It may be called more than once, when another member has cost the
// group its transaction. A function that takes long holds up all that writes.
func Write[T any](ctx context.Context, e *Engine, fn func(ctx context.Context, c *sql.Conn) (T, error)) *Future[T] {
	if e.writer == nil {
		var zero T
		return completed(e.config, zero, fmt.Errorf("%w; this engine was made without the option", ErrNoWriter))
	}
	o := callOptions{kind: function, op: pinned.OpFunction, writes: true, groups: true, place: caller(e.config), describe: "Write"}
	return send(ctx, e, o, func(ctx context.Context, l *lane) (v T, err error) {
		if fn == nil {
			return v, errNoFunction
		}
		err = l.callFunction(ctx, func(c *sql.Conn) (err error) {
			v, err = fn(ctx, c)
			return err
		})
		return v, err
	})
}

// A writer does the calls of an Engine that write, on one connection.
type writer struct {
	*queue
	savepoint savepoint // of each member

	// The thread's.
	last int           // members of the last group; with 1 or 0 the next is not worth its while if nobody waits
	took time.Duration // COMMITs of groups, lately

	counted struct {
		sync.Mutex
		Stats // those that are the writer's
	}
}

func newWriter(e *Engine) *writer {
	w := &writer{queue: &queue{config: e.config, most: 1, leases: e.leases}, savepoint: newSavepoint()}
	w.open = func() { go e.openLane(w.queue) }
	return w
}

// takes reports whether a call is the writer's, and notes whether it may be one of a
// group.
func (w *writer) takes(o *callOptions) bool {
	if o.kind == write {
		o.groups = groupable(o.describe)
		return true
	}
	return o.writes
}

// groupable reports whether a text is a single statement that does the same in a
// transaction as alone.
func groupable(query string) bool {
	s := sqltext.New(query, sqltext.SQLite)
	t := s.NextSignificant()
	return t.IsAny("insert", "update", "delete", "replace", "with", "create", "drop", "alter") && !sqltext.Several(query, sqltext.SQLite)
}

// empty reports whether no call waits.
func (w *writer) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls.first == nil
}

// wouldDeadlock refuses a call made in a transaction that the writer has to wait for.
func (w *writer) wouldDeadlock(ctx context.Context) error {
	if sc := scopeOf(ctx); sc != nil && sc.s.lane.pc.HoldsTurn() {
		return ErrWouldDeadlock
	}
	return nil
}

// addTo adds what the writer has done to an engine's Stats.
func (w *writer) addTo(s *Stats) {
	w.queue.mu.Lock()
	q := w.queue.stats
	s.Queued += w.calls.length
	w.queue.mu.Unlock()
	s.Run += w.ran.Load()
	s.Refused += q.Refused
	s.Withdrawn += q.Withdrawn
	s.Waiting += q.Waiting
	w.counted.Lock()
	defer w.counted.Unlock()
	s.Groups, s.Members, s.Largest = w.counted.Groups, w.counted.Members, w.counted.Largest
	s.Committing, s.RunsAgain = w.counted.Committing, w.counted.RunsAgain
}

// writerFile reports whether a writer may write to what Open has opened.
func writerFile(db *sql.DB, dsn string) bool {
	if dialectOf(db.Driver()) != SQLite {
		return false
	}
	private, shared := privateDatabase(dsn)
	return !private && !shared
}

// prepare makes a connection of the engine's ready for use beside the writer: its calls
// wait for their turns to write, and for other processes.
func (w *writer) prepare(l *lease) {
	l.pc.Turns().Enforce(madeIn)
	l.pc.WaitForLocks(true)
}

// unprepare takes back what prepare and prepareLane have done, but for query_only.
func (w *writer) unprepare(l *lease) {
	l.pc.OwnTurns(false)
	l.pc.WaitForLocks(false)
}

// fits reports whether a connection can be one beside the writer's.
func (w *writer) fits(l *lease) bool {
	return dialectOf(l.from.db.Driver()) == SQLite && l.pc.Stops() && !l.pc.Memory() && l.from.limit.Load() != 1
}

// prepareLane is prepare for a lane of a queue. Those that are not the writer's only read.
func (w *writer) prepareLane(ctx context.Context, q *queue, l *lease) error {
	w.prepare(l)
	l.pc.OwnTurns(true)
	if q == w.queue {
		return nil
	}
	_, err := l.sc.ExecContext(ctx, "PRAGMA query_only = 1")
	return err
}

// runsOn is a key in the context of a function that runs on a connection's thread.
type runsOn struct{ pc *pinned.Conn }

// madeIn reports whether a call with a context is made in a transaction or function on c.
func madeIn(ctx context.Context, c *pinned.Conn) bool {
	if sc := scopeOf(ctx); sc != nil && sc.s.lane.pc == c {
		return true
	}
	return ctx.Value(runsOn{c}) != nil
}

// writable takes back what prepareLane has done to a lane's connection.
func (l *lane) writable() {
	if l.readOnly && !l.pc.Dead() && l.statement(background, "PRAGMA query_only = 0") != nil {
		l.pc.Kill()
	}
}

// refusedWrite reports whether SQLite has refused to write on a connection that only reads.
func refusedWrite(err error) bool {
	return strings.HasPrefix(err.Error(), "attempt to write a readonly database")
}

// passOn gives a call that a lane of a queue could not do, since it writes, to the
// writer. It reports false if the call is to stop, and does not wait.
func (w *writer) passOn(c *call, from *queue) bool {
	c.groups = false
	c.at.Store(w.queue)
	if !c.waitAgain() {
		return false
	}
	from.mu.Lock() // until here somebody may look at what the lane runs
	c.since = time.Time{}
	from.mu.Unlock()
	if err := w.submit(c); err != nil {
		c.refuse(err)
	}
	return true
}
