package overlay

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// WithWriter gives an Engine on an SQLite file one connection that writes, and has its
// lanes only read. What has queued up for the writer is committed as one group:
// single statements that write, batches with InTx, and functions of Write. Their
// futures complete after the COMMIT. A call that fails takes back its own changes
// alone. Statements that cannot be in a group, such as PRAGMA, VACUUM and texts of several
// statements, and batches without InTx, run alone, in their turn.
//
// Transactions of WithTx and BeginAsync begin with BEGIN IMMEDIATE on connections of
// their own, and get their turn among the groups, unless they are read-only. A
// function of RunInThread on the Engine only reads.
func WithWriter() Option { return func(c *config) { c.writer = true } }

// Write calls fn on the writer's thread, as a member of a group: see WithWriter. What
// fn does with its sql.Conn is committed if it returns nil, and else taken back. The future
// completes after the COMMIT. fn must use the context that it gets, and must not begin or
// end a transaction. It may be called more than once, when another member has cost the
// group its transaction. A function that takes long holds up all that writes.
func Write[T any](ctx context.Context, e *Engine, fn func(ctx context.Context, c *sql.Conn) (T, error)) *Future[T] {
	if e.writer == nil {
		var zero T
		return completed(e.config, zero, ErrNoWriter)
	}
	o := callOptions{kind: function, writes: true, groups: true, place: caller(e.config), describe: "Write"}
	return send(ctx, e, o, func(ctx context.Context, l *lane) (v T, err error) {
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
	turns turns

	counted struct {
		sync.Mutex
		Stats // those that are the writer's
	}
}

func newWriter(e *Engine) *writer {
	w := &writer{queue: &queue{config: e.config, most: 1, leases: e.leases}}
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
	return t.IsAny("insert", "update", "delete", "replace", "with", "create", "drop", "alter") && !sqltext.Several(query)
}

// wouldDeadlock refuses a call made in a transaction that the writer has to wait for.
func (w *writer) wouldDeadlock(ctx context.Context) error {
	if sc := scopeOf(ctx); sc != nil && sc.s.lane.tx.holds.Load() {
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

// checkWriter makes a connection of an engine with a writer fit for a queue: the
// lanes' only read.
func (e *Engine) checkWriter(ctx context.Context, q *queue, l *lease) error {
	if e.writer == nil {
		return nil
	}
	if dialectOf(e.db.Driver()) != SQLite || !l.pc.Stops() || l.pc.Memory() || e.leases.limit.Load() == 1 {
		return ErrNoWriter
	}
	if q != e.queue {
		return nil
	}
	_, err := l.sc.ExecContext(ctx, "PRAGMA query_only = 1")
	return err
}

// writable takes back what checkWriter has done to a lane's connection.
func (l *lane) writable() {
	if l.readOnly && !l.pc.Dead() && l.statement(background, "PRAGMA query_only = 0") != nil {
		l.pc.Kill()
	}
}

// turns is who may write: the writer, or the transaction of a Conn, first come first
// served. A turn needs no connection, so whoever has one can go on.
type turns struct {
	mu      sync.Mutex
	taken   *turn   // guarded by mu; nil: nobody writes
	waiting []*turn // guarded by mu
}

type turn struct {
	granted chan struct{}
	since   time.Time
}

// ask queues for a turn. leave must be called in the end.
func (s *turns) ask() *turn {
	t := &turn{make(chan struct{}), time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, t)
	s.admit()
	return t
}

// leave ends a turn, or gives up waiting for it.
func (s *turns) leave(t *turn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken == t {
		s.taken = nil
	}
	for i := range s.waiting {
		if s.waiting[i] == t {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			break
		}
	}
	s.admit()
}

// admit gives the next one its turn. It needs mu.
func (s *turns) admit() {
	if s.taken == nil && len(s.waiting) > 0 {
		s.taken = s.waiting[0]
		s.waiting = s.waiting[1:]
		close(s.taken.granted)
	}
}

// before reports whether somebody waits who came before since.
func (s *turns) before(since time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting) > 0 && s.waiting[0].since.Before(since)
}

// beginInTurn begins a Conn's transaction when it is its turn to write.
func (l *lane) beginInTurn(w *writer) (*pinned.Tx, error) {
	c := l.current.Load()
	if sc := scopeOf(c.ctx); sc != nil && sc.s != l.tx.s && sc.s.lane.tx.holds.Load() {
		return nil, ErrWouldDeadlock
	}
	t := w.turns.ask()
	select {
	case <-t.granted:
	case <-l.gaveUp:
		w.turns.leave(t)
		return nil, c.stopped()
	}
	tx, err := l.beginImmediate(c, false)
	if err != nil {
		w.turns.leave(t)
		return nil, err
	}
	l.tx.turn = t
	l.tx.holds.Store(true)
	return tx, nil
}

// passTurn ends a Conn's turn if its transaction has ended.
func (l *lane) passTurn() {
	if l.tx == nil || l.tx.turn == nil || len(l.tx.levels) > 0 {
		return
	}
	l.tx.s.e.writer.turns.leave(l.tx.turn)
	l.tx.turn = nil
	l.tx.holds.Store(false)
}

// beginImmediate begins a transaction for a call. It waits for other processes as long
// as the call may wait.
func (l *lane) beginImmediate(c *call, guarded bool) (*pinned.Tx, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 10*time.Millisecond) {
		tx, err := l.pc.BeginImmediate(l.held(), guarded)
		if err == nil || c.stopped() != nil || !pinned.AnyIn(err, conflicts) {
			return tx, err
		}
		time.Sleep(pause) // SQLite's busy handler has waited already, if there is one
	}
}
