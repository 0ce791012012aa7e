//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"pgregory.net/rapid"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// The model: sessions hold a connection each to one SQLite file and make one
// call at a time, with cancels at every stage. Every write inserts a number of
// its own, so that another connection can tell which have come about; they must
// be those whose calls reported success.
//
// -rapid.checks=N sets the number of runs, of cancelModelSteps steps each; 2,000
// are good for 120,000 steps and take a few minutes with the race detector.

const (
	cancelModelChecks = 160
	cancelModelSteps  = 60
)

func TestCancelModel(t *testing.T) {
	goroutines, threads := runtime.NumGoroutine(), cancelThreads()
	dir := t.TempDir()
	harness.Check(t, cancelModelChecks, func(rt *rapid.T, steps *atomic.Int64) {
		m := newCancelMachine(dir, rt)
		defer m.abort()
		for range cancelModelSteps {
			m.step()
			steps.Add(1)
		}
		m.end()
	})
	harness.Until(t, "goroutines back at baseline", func() bool { return runtime.NumGoroutine() <= goroutines })
	// The runtime keeps a few threads that it once needed.
	harness.Until(t, "threads back at baseline", func() bool { return cancelThreads() <= threads+16 })
}

// cancelThreads returns 0 where the system does not tell.
func cancelThreads() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}

// cancelStage is when the context of a call ends.
type cancelStage string

const (
	stageNever   cancelStage = "never"   // the context cannot end
	stageAfter   cancelStage = "after"   // defer cancel()
	stageBefore  cancelStage = "before"  // before the call
	stageQueued  cancelStage = "queued"  // while another call has the thread
	stageRunning cancelStage = "running" // while a statement runs that has no end
	stageInside  cancelStage = "inside"  // while SQLite works on the call
	stageRacing  cancelStage = "racing"  // any time
	stageTimeout cancelStage = "timeout" // any time, by a deadline
)

var (
	allStages   = []cancelStage{stageNever, stageAfter, stageBefore, stageQueued, stageRunning, stageInside, stageRacing, stageTimeout}
	shortStages = []cancelStage{stageNever, stageAfter, stageBefore, stageQueued, stageRacing, stageTimeout}
)

type cancelMachine struct {
	t        *rapid.T
	path     string
	db       *sql.DB // of the sessions and the bursts, one connection for each
	fresh    *sql.DB // keeps no connection
	observer *sql.DB // looks on, without the shim
	sessions []*cancelSession
	ids      int
	done     map[int]bool // what must be in the table
	unsure   map[int]bool // what may be: the thread had no processor to end the call in time, and the error says so
	mayOpen  int64        // connections that may have been opened
	opened   atomic.Int64
	workers  atomic.Int64 // threads that are there
	cleanUps []func()
	now      []string // what was done, for failures

	mu       sync.Mutex
	marks    map[int64]func() // what mark(k) does
	onCommit func()
}

type cancelSession struct {
	m       *cancelMachine
	conn    *sql.Conn
	worker  *threadpin.Worker
	inner   driver.Conn
	tx      *sql.Tx
	txCtx   context.Context
	txEnd   context.CancelFunc
	live    bool  // SQLite has a transaction; false with a tx: it has rolled that back by itself
	pending []int // what it will have done when it is committed
	rows    []*cancelRows
	insert  *sql.Stmt
	tainted bool // an interrupt has come with rows open: they end, and so may what follows
}

type cancelRows struct {
	*sql.Rows
	ctx        context.Context
	cancel     context.CancelFunc
	read, have int
}

func newCancelMachine(dir string, t *rapid.T) *cancelMachine {
	m := &cancelMachine{t: t, done: map[int]bool{}, unsure: map[int]bool{}, marks: map[int64]func(){}}
	f, err := os.CreateTemp(dir, "*.db")
	m.must(err)
	m.path = f.Name()
	m.must(f.Close())
	d := &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		c.RegisterCommitHook(m.commits)
		return c.RegisterFunc("mark", m.mark, false)
	}}
	lock := rapid.SampledFrom([]string{"deferred", "immediate"}).Draw(t, "lock")
	dsn := "file:" + m.path + "?_journal=WAL&_sync=0&_busy_timeout=0&_txlock=" + lock
	opts := []aio.Option{
		aio.WithBatch(rapid.SampledFrom([]int{1, 2, 7, 256}).Draw(t, "batch"), 1<<20),
		aio.WithThread(
			threadpin.WithOnStart(func() error { m.workers.Add(1); return nil }),
			threadpin.WithOnStop(func() { m.workers.Add(-1) })),
	}
	count := func(db driver.Connector, n *atomic.Int64) *sql.DB {
		return aio.OpenDB(&cancelCountingConnector{db, n}, opts...)
	}
	m.db = count(&cancelBareConnector{d, dsn}, &m.opened)
	m.fresh = count(&cancelBareConnector{d, dsn}, new(atomic.Int64))
	m.fresh.SetMaxIdleConns(-1)
	m.observer = sql.OpenDB(&cancelBareConnector{&sqlite3.SQLiteDriver{}, "file:" + m.path})
	m.observer.SetMaxOpenConns(1)
	_, err = m.observer.Exec("pragma journal_mode=wal; create table log(id integer primary key)")
	m.must(err)

	n := rapid.IntRange(1, 2).Draw(t, "sessions")
	m.mayOpen = int64(n + 2)
	m.db.SetMaxOpenConns(n + 2)
	m.db.SetMaxIdleConns(n + 2)
	for range n {
		s := &cancelSession{m: m}
		s.open()
		m.sessions = append(m.sessions, s)
	}
	return m
}

type cancelCountingConnector struct {
	driver.Connector
	n *atomic.Int64
}

func (c *cancelCountingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c.n.Add(1)
	return c.Connector.Connect(ctx)
}

func (m *cancelMachine) mark(k int64) int64 {
	m.mu.Lock()
	fn := m.marks[k]
	delete(m.marks, k)
	m.mu.Unlock()
	if fn != nil {
		fn()
	}
	return 1
}

func (m *cancelMachine) at(k int, fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks[int64(k)] = fn
}

func (m *cancelMachine) commits() int {
	m.mu.Lock()
	fn := m.onCommit
	m.onCommit = nil
	m.mu.Unlock()
	if fn != nil {
		fn()
	}
	return 0
}

func (m *cancelMachine) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(m.now, ", "))
}

func (m *cancelMachine) Helper()                           {}
func (m *cancelMachine) Fatalf(format string, args ...any) { m.fatalf(format, args...) }

func (m *cancelMachine) must(err error) {
	m.t.Helper()
	if err != nil {
		m.fatalf("%v", err)
	}
}

func (m *cancelMachine) note(format string, args ...any) {
	m.now = append(m.now, fmt.Sprintf(format, args...))
	if len(m.now) > 10 {
		m.now = m.now[1:]
	}
}

func (m *cancelMachine) stage(of ...cancelStage) cancelStage {
	return rapid.SampledFrom(of).Draw(m.t, "stage")
}

func (m *cancelMachine) id() int { m.ids++; return m.ids }

// spin returns a random short time of work.
func (m *cancelMachine) spin() func() {
	d := time.Duration(rapid.IntRange(0, 150).Draw(m.t, "µs")) * time.Microsecond
	return func() {
		for start := time.Now(); time.Since(start) < d; {
			runtime.Gosched()
		}
	}
}

type cancelAction struct {
	name string
	run  func()
	ok   bool // it makes sense now
}

func (a cancelAction) String() string { return a.name }

// step does one random thing and then checks everything.
func (m *cancelMachine) step() {
	i := rapid.IntRange(0, len(m.sessions)-1).Draw(m.t, "session")
	s := m.sessions[i]
	actions := []cancelAction{
		{"exec", s.exec, true},
		{"prepared exec", s.preparedExec, s.tx == nil},
		{"query", s.query, len(s.rows) < 3},
		{"next", s.next, len(s.rows) > 0},
		{"cancel between rows", s.cancelBetweenRows, len(s.rows) > 0},
		{"cancel in Next", s.cancelInNext, !s.lost()},
		{"abandon", s.abandon, !s.lost() && len(s.rows) == 0},
		{"returning", s.returning, !s.lost()},
		{"close rows", s.closeRows, len(s.rows) > 0},
		{"begin", s.begin, s.tx == nil && len(s.rows) == 0},
		{"cancel transaction", s.cancelTx, s.tx != nil},
		{"commit", s.commit, s.tx != nil},
		{"rollback", s.rollback, s.tx != nil},
		{"raw", s.raw, true},
		{"panic", s.panics, s.quiet()},
		{"reuse", s.reuse, s.quiet()},
		{"bad connection", s.badConn, s.quiet()},
		{"goexit", s.goexit, s.quiet()},
		{"connect", m.connect, true},
		{"burst", m.burst, true},
	}
	actions = slices.DeleteFunc(actions, func(a cancelAction) bool { return !a.ok })
	a := rapid.SampledFrom(actions).Draw(m.t, "action")
	m.note("%d %s", i, a.name)
	a.run()
	m.check(s)
}

// check looks at all that must hold between steps.
func (m *cancelMachine) check(s *cancelSession) {
	if s.tainted {
		for len(s.rows) > 0 {
			r := s.rows[0]
			s.rows = s.rows[1:]
			r.Close()
			r.cancel()
		}
		s.tainted = false
	}
	// The connection is the session's, in the state that it should be in, and works.
	err := aio.Raw(cancelBackground, s.conn, func(inner driver.Conn) error {
		if inner != s.inner {
			m.fatalf("the session has got another connection")
		}
		if on := inner.(*sqlite3.SQLiteConn).AutoCommit(); on == s.live {
			m.fatalf("autocommit is %t, transaction %t", on, s.live)
		}
		return nil
	})
	m.must(err)
	var one int
	if err := s.conn.QueryRowContext(cancelBackground, "select 1").Scan(&one); s.lost() && !errors.Is(err, aio.ErrRolledBack) ||
		!s.lost() && err != nil {
		m.fatalf("the next statement, transaction lost %t: %v", s.lost(), err)
	}
	ids, err := m.observer.Query("select id from log")
	m.must(err)
	defer ids.Close()
	n := 0
	for ids.Next() {
		var id int
		m.must(ids.Scan(&id))
		switch {
		case m.done[id]:
			n++
		case !m.unsure[id]:
			m.fatalf("row %d is in the table, and nobody was told so", id)
		}
	}
	m.must(ids.Err())
	if n != len(m.done) {
		m.fatalf("of %d rows that were acknowledged the table has %d", len(m.done), n)
	}
	if n := m.opened.Load(); n > m.mayOpen {
		m.fatalf("%d connections were opened, %d would do", n, m.mayOpen)
	}
}

// end closes everything; nothing may be left.
func (m *cancelMachine) end() {
	for _, s := range m.sessions {
		for len(s.rows) > 0 {
			s.drop(0)
		}
		if s.tx != nil {
			s.ended(s.tx.Rollback(), false)
		}
		m.check(s)
		m.must(s.insert.Close())
		m.must(s.conn.Close())
	}
	m.sessions = nil
	if st := m.db.Stats(); st.MaxIdleClosed+st.MaxIdleTimeClosed+st.MaxLifetimeClosed != 0 || st.InUse != 0 {
		m.fatalf("the pool has %+v", st)
	}
	m.must(m.db.Close())
	m.must(m.fresh.Close())
	harness.Until(m, "the end of all threads", func() bool { return m.workers.Load() == 0 })
	m.must(m.observer.Close())
	m.remove()
}

func (m *cancelMachine) remove() {
	files, _ := filepath.Glob(m.path + "*")
	for _, f := range files {
		os.Remove(f)
	}
}

// abort ends what a failed run has left behind.
func (m *cancelMachine) abort() {
	for _, fn := range m.cleanUps {
		fn()
	}
	for _, s := range m.sessions {
		if s.tx != nil {
			s.txEnd()
		}
		for _, r := range s.rows {
			r.cancel()
			go r.Close()
		}
		go func() {
			if s.tx != nil {
				s.tx.Rollback()
			}
			s.conn.Close()
		}()
	}
	go func() {
		m.db.Close()
		m.fresh.Close()
		m.observer.Close()
	}()
}

// A cancelCall is one call of a session under a stage.
type cancelCall struct {
	stage  cancelStage
	ctx    context.Context
	cancel context.CancelFunc
	id     int
	first  bool // the write is the last of several statements
}

// call makes a call whose context ends at the stage and returns its error. With
// the stages running and inside, the statement calls mark(id).
func (s *cancelSession) call(stage cancelStage, run func(*cancelCall) error) (*cancelCall, error) {
	m := s.m
	c := &cancelCall{stage: stage, ctx: cancelBackground, cancel: func() {}, id: m.id()}
	if stage != stageNever {
		c.ctx, c.cancel = context.WithCancel(cancelBackground)
	}
	m.cleanUps = append(m.cleanUps, c.cancel)
	var err error
	switch stage {
	case stageBefore:
		c.cancel()
		err = run(c)
	case stageQueued:
		release := s.occupy()
		wait := harness.Go(m, "the call", func() error { return run(c) })
		harness.Until(m, "the call queued", func() bool { return s.worker.Stats().Queued > 0 })
		c.cancel()
		err = wait()
		release()
	case stageRunning:
		reached := make(chan struct{})
		m.at(c.id, func() { close(reached) })
		wait := harness.Go(m, "the call", func() error { return run(c) })
		over := make(chan error, 1)
		go func() { over <- wait() }()
		select {
		case <-reached:
			c.cancel()
			err = <-over
		case err = <-over: // it was refused
		}
	case stageInside:
		m.at(c.id, c.cancel)
		err = run(c)
	case stageRacing:
		spin := m.spin()
		go func() { spin(); c.cancel() }()
		err = run(c)
	case stageTimeout:
		d := time.Duration(rapid.IntRange(0, 150).Draw(m.t, "µs")) * time.Microsecond
		c.cancel()
		c.ctx, c.cancel = context.WithTimeout(cancelBackground, d)
		err = run(c)
	default:
		err = run(c)
	}
	m.note("%s: %v", stage, err)
	if stage != stageNever && stage != stageAfter && len(s.rows) > 0 {
		s.tainted = true
	}
	return c, err
}

// occupy keeps the connection's thread busy until release.
func (s *cancelSession) occupy() (release func()) {
	release = sync.OnceFunc(harness.Occupy(s.m, s.worker))
	s.m.cleanUps = append(s.m.cleanUps, release)
	return release
}

// ended reports whether the call failed with its context.
func (c *cancelCall) ended(m *cancelMachine, err error) bool {
	if err == nil {
		if c.stage == stageBefore || c.stage == stageQueued || c.stage == stageRunning {
			m.fatalf("cancelled %s and reported success", c.stage)
		}
		return false
	}
	// Of several statements the first may have been kept. Here only the last writes, and
	// it was stopped while it ran or while it waited for a lock.
	if err != c.ctx.Err() && !(errors.Is(err, aio.ErrOutcomeUnknown) && errors.Is(err, c.ctx.Err()) && c.first) {
		return false
	}
	if c.stage == stageNever || c.stage == stageAfter {
		m.fatalf("%v without a reason", err)
	}
	return true
}

// wrote notes what a write has done. Failing with SQLITE_BUSY is another
// session's doing, which may hold the lock.
func (s *cancelSession) wrote(c *cancelCall, err error) {
	m := s.m
	var failed sqlite3.Error
	switch {
	case s.refused(c, err):
	case err == nil:
		c.ended(m, nil)
		if s.live {
			s.pending = append(s.pending, c.id)
		} else {
			m.done[c.id] = true
		}
	case c.ended(m, err):
		if c.stage == stageBefore || c.stage == stageQueued {
			return
		}
		s.rolledBack()
	case m.untold(c.id, c.ctx, err):
		s.rolledBack()
	case errors.As(err, &failed) && failed.Code == sqlite3.ErrBusy && len(m.sessions) > 1:
	default:
		m.fatalf("%s: %v", c.stage, err)
	}
}

// untold reports whether a call was left, so that nobody knows what it has written.
func (m *cancelMachine) untold(id int, ctx context.Context, err error) bool {
	if ctx.Err() == nil || !errors.Is(err, aio.ErrOutcomeUnknown) {
		return false
	}
	m.unsure[id] = true
	return true
}

// lost reports whether SQLite has rolled the transaction back by itself.
func (s *cancelSession) lost() bool { return s.tx != nil && !s.live }

// refused reports whether the transaction is lost. A call in it must have failed then.
func (s *cancelSession) refused(c *cancelCall, err error) bool {
	if s.lost() && !c.ended(s.m, err) && !errors.Is(err, aio.ErrRolledBack) {
		s.m.fatalf("a call in a transaction that SQLite has rolled back: %v", err)
	}
	return s.lost()
}

// rolledBack asks whether SQLite has rolled the transaction back by itself, as
// it does for a write that was interrupted.
func (s *cancelSession) rolledBack() {
	if !s.live {
		return
	}
	s.m.must(aio.Raw(cancelBackground, s.conn, func(inner driver.Conn) error {
		s.live = !inner.(*sqlite3.SQLiteConn).AutoCommit()
		return nil
	}))
	if !s.live {
		s.pending = nil
		// That also ends all reads.
		for len(s.rows) > 0 {
			r := s.rows[0]
			s.rows = s.rows[1:]
			r.Close()
			r.cancel()
		}
	}
}

func (s *cancelSession) open() {
	m := s.m
	var err error
	s.conn, err = m.db.Conn(cancelBackground)
	m.must(err)
	s.worker, err = aio.Thread(s.conn)
	m.must(err)
	m.must(aio.Raw(cancelBackground, s.conn, func(inner driver.Conn) error { s.inner = inner; return nil }))
	s.insert, err = s.conn.PrepareContext(cancelBackground, "insert into log values(?)")
	m.must(err)
	s.tx, s.live, s.pending, s.rows, s.tainted = nil, false, nil, nil, false
}

// reopen gives the session another connection after its own was dropped.
func (s *cancelSession) reopen() {
	s.insert.Close()
	s.conn.Close()
	s.m.mayOpen++
	s.open()
}

// quiet reports whether nothing is open on the connection.
func (s *cancelSession) quiet() bool { return s.tx == nil && len(s.rows) == 0 }

type cancelHandle interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

func (s *cancelSession) handle() cancelHandle {
	if s.tx != nil {
		return s.tx
	}
	return s.conn
}

const (
	cancelInsertFast   = "insert into log values(?1)"
	cancelInsertSlow   = "insert into log select ?1 where (with recursive c(x) as (select 1 union all select x+1 from c where x < 300) select count(*) from c) > 0"
	cancelInsertMark   = "insert into log select ?1 where mark(?1)"
	cancelInsertFirst  = "select mark(0); insert into log values(?1)"
	cancelInsertMarked = "insert into log select ?1 where mark(?1) and (select count(*) from " + cancelEndless + ") > 0"
)

func (s *cancelSession) exec() {
	stage := s.m.stage(allStages...)
	query := rapid.SampledFrom([]string{cancelInsertFast, cancelInsertSlow, cancelInsertFirst}).Draw(s.m.t, "query")
	switch stage {
	case stageRunning:
		query = cancelInsertMarked
	case stageInside:
		query = cancelInsertMark
	}
	c, err := s.call(stage, func(c *cancelCall) error {
		c.first = query == cancelInsertFirst
		_, err := s.handle().ExecContext(c.ctx, query, c.id)
		return err
	})
	s.wrote(c, err)
	c.cancel()
}

func (s *cancelSession) preparedExec() {
	c, err := s.call(s.m.stage(shortStages...), func(c *cancelCall) error {
		_, err := s.insert.ExecContext(c.ctx, c.id)
		return err
	})
	s.wrote(c, err)
	c.cancel()
}

func (s *cancelSession) query() {
	n := rapid.SampledFrom([]int{0, 1, 2, 3, 20, 700}).Draw(s.m.t, "rows")
	stage := s.m.stage(allStages...)
	query := fmt.Sprintf("select x from %s limit %d", cancelEndless, n)
	if rapid.Bool().Draw(s.m.t, "with") {
		query = fmt.Sprintf("with a as (%s) select x from a", query)
	}
	var rows *sql.Rows
	c, err := s.call(stage, func(c *cancelCall) (err error) {
		switch stage {
		case stageRunning:
			query = fmt.Sprintf("select count(*) from %s where mark(%d) or x > 0", cancelEndless, c.id)
		case stageInside:
			query = fmt.Sprintf("select x, mark(%d) from %s limit %d", c.id, cancelEndless, n)
		}
		rows, err = s.handle().QueryContext(c.ctx, query)
		return err
	})
	if s.refused(c, err) {
		c.cancel()
		return
	}
	if c.ended(s.m, err) {
		c.cancel()
		s.rolledBack()
		return
	}
	s.m.must(err)
	s.rows = append(s.rows, &cancelRows{Rows: rows, ctx: c.ctx, cancel: c.cancel, have: n})
	if stage != stageNever && stage != stageAfter {
		s.cancelRows(len(s.rows) - 1)
	}
}

// advance reads a row and checks it.
func (r *cancelRows) advance(m *cancelMachine) bool {
	if !r.Next() {
		return false
	}
	r.read++
	columns, _ := r.Columns()
	var x int
	dest := []any{&x, new(any)}
	if err := r.Scan(dest[:max(1, len(columns))]...); err != nil {
		if r.ctx.Err() == nil {
			m.fatalf("Scan: %v", err)
		}
		return false
	}
	if x != r.read {
		m.fatalf("row %d is %d", r.read, x)
	}
	return true
}

func (s *cancelSession) next() {
	i := rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which")
	r := s.rows[i]
	for range rapid.SampledFrom([]int{1, 2, 10, 1000}).Draw(s.m.t, "times") {
		if !r.advance(s.m) {
			if r.Err() != nil || r.read != r.have {
				s.m.fatalf("ended after %d of %d rows with %v", r.read, r.have, r.Err())
			}
			s.drop(i)
			return
		}
	}
}

// drop closes rows, twice.
func (s *cancelSession) drop(i int) {
	r := s.rows[i]
	s.rows = slices.Delete(s.rows, i, i+1)
	for range 2 {
		s.m.must(r.Close())
	}
	r.cancel()
}

func (s *cancelSession) closeRows() { s.drop(rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which")) }

// cancelRows ends the context of rows and reads on: what still comes is right.
func (s *cancelSession) cancelRows(i int) {
	r := s.rows[i]
	s.rows = slices.Delete(s.rows, i, i+1)
	r.cancel()
	for r.advance(s.m) {
	}
	if err := r.Err(); err != nil && err != r.ctx.Err() {
		s.m.fatalf("%v after the rows' cancel", err)
	}
	r.Close()
	if len(s.rows) > 0 {
		s.tainted = true
	}
}

func (s *cancelSession) cancelBetweenRows() {
	s.cancelRows(rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which"))
}

// cancelInNext cancels while SQLite looks for a row that never comes.
func (s *cancelSession) cancelInNext() {
	at, k := rapid.IntRange(2, 40).Draw(s.m.t, "at"), s.m.id()
	reached := make(chan struct{})
	s.m.at(k, func() { close(reached) })
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	rows, err := s.handle().QueryContext(ctx, fmt.Sprintf("select x from %s where x < %d or x = %d and mark(%d) = 2", cancelEndless, at, at, k))
	s.m.must(err)
	r := &cancelRows{Rows: rows, ctx: ctx, cancel: cancel}
	wait := harness.Go(s.m, "the call", func() error {
		for r.advance(s.m) {
		}
		return nil
	})
	<-reached
	cancel()
	wait()
	if r.read >= at || r.Err() != context.Canceled {
		s.m.fatalf("read %d rows before an endless number %d, then %v", r.read, at, r.Err())
	}
	r.Close()
	if len(s.rows) > 0 {
		s.tainted = true
	}
}

// abandon wants one row of a query whose second row never comes.
func (s *cancelSession) abandon() {
	h := s.handle()
	wait := harness.Go(s.m, "the call", func() error {
		var x int
		return h.QueryRowContext(cancelBackground, "select 1 union all select count(*) from "+cancelEndless).Scan(&x)
	})
	s.m.must(wait())
}

// returning reads the rows of a write in part, and then closes or cancels them.
// What it has done stays done.
func (s *cancelSession) returning() {
	m := s.m
	n := rapid.SampledFrom([]int{1, 2, 30}).Draw(m.t, "rows")
	first := m.ids + 1
	m.ids += n
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	rows, err := s.handle().QueryContext(ctx, fmt.Sprintf("insert into log select x + %d from %s limit %d returning id", first-1, cancelEndless, n))
	var failed sqlite3.Error
	if errors.As(err, &failed) && failed.Code == sqlite3.ErrBusy && len(m.sessions) > 1 {
		return
	}
	m.must(err)
	for i := range rapid.IntRange(0, n).Draw(m.t, "read") {
		var id int
		if !rows.Next() || rows.Scan(&id) != nil || id != first+i {
			m.fatalf("returning %d: %d, %v", first+i, id, rows.Err())
		}
	}
	if rapid.Bool().Draw(m.t, "cancel") {
		cancel()
	}
	if err := rows.Close(); err != nil && err != context.Canceled {
		m.fatalf("Close: %v", err)
	}
	for id := first; id < first+n; id++ {
		if s.live {
			s.pending = append(s.pending, id)
		} else {
			m.done[id] = true
		}
	}
}

func (s *cancelSession) begin() {
	stage := s.m.stage(shortStages...)
	var tx *sql.Tx
	c, err := s.call(stage, func(c *cancelCall) (err error) {
		tx, err = s.conn.BeginTx(c.ctx, nil)
		return err
	})
	var failed sqlite3.Error
	switch {
	case c.ended(s.m, err), errors.As(err, &failed) && failed.Code == sqlite3.ErrBusy && len(s.m.sessions) > 1:
		c.cancel()
		return
	}
	s.m.must(err)
	s.tx, s.txCtx, s.txEnd, s.live = tx, c.ctx, c.cancel, true
	if stage != stageNever && stage != stageAfter {
		s.cancelTx()
	}
}

// cancelTx ends the context of a transaction, perhaps in the middle of a write:
// it is rolled back, and database/sql drops the connection.
func (s *cancelSession) cancelTx() {
	if s.txCtx.Done() == nil {
		return
	}
	if rapid.Bool().Draw(s.m.t, "in a call") {
		k := s.m.id()
		reached := make(chan struct{})
		s.m.at(k, func() { close(reached) })
		tx, ctx := s.tx, s.txCtx
		wait := harness.Go(s.m, "the call", func() error {
			_, err := tx.ExecContext(ctx, cancelInsertMarked, k)
			return err
		})
		over := make(chan error, 1)
		go func() { over <- wait() }()
		var err error
		select {
		case <-reached:
			s.txEnd()
			err = <-over
		case err = <-over:
		}
		var failed sqlite3.Error
		if err == nil || err != ctx.Err() && err != sql.ErrTxDone && !(s.lost() && errors.Is(err, aio.ErrRolledBack)) && !(errors.As(err, &failed) && failed.Code == sqlite3.ErrBusy) {
			s.m.fatalf("Exec in a transaction that ends: %v", err)
		}
	}
	s.txEnd()
	rows := s.rows
	s.rows = nil
	for _, r := range rows {
		r.Close()
		r.cancel()
	}
	if err := s.tx.Commit(); err != sql.ErrTxDone && err != s.txCtx.Err() {
		s.m.fatalf("Commit after the end of the context: %v", err)
	}
	harness.Until(s.m, "the end of the connection", func() bool { return s.worker.Submit(func() {}, nil) != nil })
	s.reopen()
}

// commit commits while the context of the transaction ends.
func (s *cancelSession) commit() {
	stages := []cancelStage{stageNever}
	if s.txCtx.Done() != nil {
		stages = append(stages, stageRunning, stageQueued, stageRacing)
	}
	for len(s.rows) > 0 {
		s.drop(0)
	}
	m := s.m
	stage := m.stage(stages...)
	m.note("%s", stage)
	switch stage {
	case stageNever:
		s.ended(s.tx.Commit(), true)
	case stageRunning:
		if len(s.pending) == 0 || !s.live {
			s.ended(s.tx.Commit(), true) // without a write there is no commit hook
			return
		}
		inCommit, goOn := make(chan struct{}), make(chan struct{})
		release := sync.OnceFunc(func() { close(goOn) })
		m.cleanUps = append(m.cleanUps, release)
		m.mu.Lock()
		m.onCommit = func() { close(inCommit); <-goOn }
		m.mu.Unlock()
		wait := harness.Go(m, "Commit", s.tx.Commit)
		<-inCommit
		s.txEnd()
		release()
		s.ended(wait(), true)
	case stageQueued:
		release := s.occupy()
		wait := harness.Go(m, "Commit", s.tx.Commit)
		harness.Until(m, "the call queued", func() bool { return s.worker.Stats().Queued > 0 })
		s.txEnd()
		release()
		err := wait()
		if err == context.Canceled { // the COMMIT has waited too long, and became a rollback
			s.tx, s.live, s.pending = nil, false, nil
			return
		}
		s.ended(err, true)
	case stageRacing:
		spin, txEnd := m.spin(), s.txEnd
		go func() { spin(); txEnd() }()
		if err := s.tx.Commit(); err == context.Canceled || err == sql.ErrTxDone {
			s.cancelTx()
		} else {
			s.ended(err, true)
		}
	}
}

func (s *cancelSession) rollback() {
	for len(s.rows) > 0 {
		s.drop(0)
	}
	s.ended(s.tx.Rollback(), false)
}

// ended notes what became of the transaction. If SQLite had rolled it back, COMMIT
// fails for that and ROLLBACK for what SQLite says.
func (s *cancelSession) ended(err error, committed bool) {
	m := s.m
	switch {
	case s.live && err != nil:
		m.fatalf("the end of a transaction: %v", err)
	case !s.live && committed && !errors.Is(err, aio.ErrRolledBack),
		!s.live && !committed && (err == nil || !strings.Contains(err.Error(), "no transaction is active")):
		m.fatalf("the end of no transaction, commit %t: %v", committed, err)
	case s.live && committed:
		for _, id := range s.pending {
			m.done[id] = true
		}
	}
	s.txEnd()
	s.tx, s.live, s.pending = nil, false, nil
}

// raw cancels functions that run on the thread. Once begun they are waited for.
func (s *cancelSession) raw() {
	ran := false
	c, err := s.call(s.m.stage(shortStages...), func(c *cancelCall) error {
		return aio.Raw(c.ctx, s.conn, func(driver.Conn) error { ran = true; return nil })
	})
	if (err == nil) != ran || err != nil && err != c.ctx.Err() {
		s.m.fatalf("Raw: ran %t, error %v", ran, err)
	}
	if (c.stage == stageBefore || c.stage == stageQueued) && ran {
		s.m.fatalf("Raw ran after its cancel")
	}
	c.cancel()
}

// panics raises a panic on the thread. The caller gets it, and database/sql
// drops the connection.
func (s *cancelSession) panics() {
	s.m.must(s.insert.Close())
	func() {
		defer func() {
			if v := recover(); v != "boom" {
				s.m.fatalf("recovered %v", v)
			}
		}()
		aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { panic("boom") })
	}()
	s.reopen()
}

// reuse gives the connection back to the pool and takes it out again.
func (s *cancelSession) reuse() {
	m := s.m
	taken := []*sql.Conn{} // all others that are idle, so that the session gets its own again
	for range m.db.Stats().Idle {
		c, err := m.db.Conn(cancelBackground)
		m.must(err)
		taken = append(taken, c)
	}
	m.must(s.insert.Close())
	m.must(s.conn.Close())
	if err := s.conn.Close(); err != sql.ErrConnDone {
		m.fatalf("Conn.Close again: %v", err)
	}
	old := s.inner
	s.open()
	if s.inner != old {
		m.fatalf("the connection was not reused")
	}
	for _, c := range taken {
		c.Close()
	}
}

// badConn makes the pool drop the connection.
func (s *cancelSession) badConn() {
	s.m.must(s.insert.Close())
	err := aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { return driver.ErrBadConn })
	if err != driver.ErrBadConn {
		s.m.fatalf("Raw: %v", err)
	}
	s.reopen()
}

// goexit ends the connection's thread.
func (s *cancelSession) goexit() {
	s.m.must(s.insert.Close())
	err := aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { runtime.Goexit(); return nil })
	if err != threadpin.ErrGoexit {
		s.m.fatalf("Raw: %v", err)
	}
	if err := s.conn.PingContext(cancelBackground); err != driver.ErrBadConn {
		s.m.fatalf("Ping without a thread: %v", err)
	}
	s.reopen()
}

// connect opens a connection whose context ends meanwhile.
func (m *cancelMachine) connect() {
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	before := m.workers.Load()
	spin := m.spin()
	if m.stage(stageBefore, stageRacing) == stageBefore {
		cancel()
	} else {
		go func() { spin(); cancel() }()
	}
	conn, err := m.fresh.Conn(ctx)
	if err == nil {
		m.must(conn.Close())
	} else if err != context.Canceled {
		m.fatalf("Connect: %v", err)
	}
	harness.Until(m, "the end of the new thread", func() bool { return m.workers.Load() == before })
}

// burst makes many calls at once through the pool.
func (m *cancelMachine) burst() {
	type call struct {
		id  int
		ctx context.Context
		err error
	}
	calls := make([]call, rapid.IntRange(2, 5).Draw(m.t, "calls"))
	var wg sync.WaitGroup
	for i := range calls {
		c := &calls[i]
		c.id = m.id()
		ctx, cancel := context.WithCancel(cancelBackground)
		defer cancel()
		c.ctx = ctx
		spin := m.spin()
		what := rapid.SampledFrom([]string{cancelInsertFast, cancelInsertSlow, cancelInsertMarked, "select"}).Draw(m.t, "what")
		wg.Add(1)
		go func() { spin(); cancel() }()
		go func() {
			defer wg.Done()
			if what != "select" {
				_, c.err = m.db.ExecContext(ctx, what, c.id)
				return
			}
			c.err = cancelRead(m.db.QueryContext(ctx, "select x from "+cancelEndless+" limit 40"))
			c.id = 0
		}()
	}
	wg.Wait()
	harness.Until(m, "the pool idle", func() bool { return m.db.Stats().InUse == len(m.sessions) })
	for _, c := range calls {
		var failed sqlite3.Error
		switch {
		case c.err == nil && c.id != 0:
			m.done[c.id] = true
		case c.err == nil, c.err == c.ctx.Err(), m.untold(c.id, c.ctx, c.err):
		case errors.As(c.err, &failed) && failed.Code == sqlite3.ErrBusy:
		default:
			m.fatalf("%d: %v", c.id, c.err)
		}
	}
}
