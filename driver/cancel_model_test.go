package driver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// The model: sessions hold a connection each and make one call at a time, with
// cancels at every stage. The driver's log tells what really happened; what
// the call reported must be the same.
//
// -rapid.checks=N sets the number of runs, of cancelModelSteps steps each. The
// default is good for more than 100,000 steps and takes a minute with the race
// detector.

const (
	cancelModelChecks = 1700
	cancelModelSteps  = 60
)

// TestCancelModel proves that calls report what happened to them: success is
// success, a context's error means that the call never came to the driver or
// was interrupted in it; and that nobody else notices.
func TestCancelModel(t *testing.T) {
	back := leaks(t)
	harness.Check(t, cancelModelChecks, func(rt *rapid.T, steps *atomic.Int64) {
		m := newCancelMachine(rt)
		defer m.abort()
		for range cancelModelSteps {
			m.step()
			steps.Add(1)
		}
		m.end()
	})
	back()
}

// cancelStage is when the context of a call ends.
type cancelStage string

const (
	stageNever   cancelStage = "never"   // the context cannot end
	stageAfter   cancelStage = "after"   // defer cancel()
	stageBefore  cancelStage = "before"  // before the call
	stageQueued  cancelStage = "queued"  // while another call has the thread
	stageRunning cancelStage = "running" // while the driver waits in the call
	stageInside  cancelStage = "inside"  // while the driver works on the call
	stageRacing  cancelStage = "racing"  // any time
	stageTimeout cancelStage = "timeout" // any time, by a deadline
)

var (
	allStages = []cancelStage{stageNever, stageAfter, stageBefore, stageQueued, stageRunning, stageInside, stageRacing, stageTimeout}
	// cancelKinds are the drivers; a slow Interrupt makes the window wider in
	// which a call may end meanwhile.
	cancelKinds = []cancelKind{
		{features: drivertest.Modern},
		{features: drivertest.Modern, reader: true, settler: true, linger: 50 * time.Microsecond},
		{features: drivertest.LikeMySQL, settler: true},
		{features: drivertest.LikeSQLite, reader: true, quiet: true},
		{features: drivertest.LikeSQLite, reader: true, linger: 20 * time.Microsecond},
		{features: drivertest.Legacy},
	}
	batchSizes = []int{1, 2, 7, 256}
)

type cancelMachine struct {
	t        *rapid.T
	d        *cancelDriver
	db       *sql.DB // of the sessions and the bursts
	fresh    *sql.DB // keeps no connection
	sessions []*cancelSession
	tokens   int
	mayOpen  int           // connections that may have been opened
	opened   *atomic.Int64 // connections that were opened for db
	workers  atomic.Int64  // threads that are there
	calls    atomic.Int64  // Seq of the last call in the driver's log
	logged   []drivertest.Call
	cleanUps []func()     // for a step that failed half-way
	hits     map[int]bool // calls that may have been interrupted
	checked  int          // interrupts that were looked at
	now      []string     // what was done, for failures

	mu      sync.Mutex
	onEnter map[string]func() // what a call with a token does in the driver
}

type cancelSession struct {
	m      *cancelMachine
	conn   *sql.Conn
	worker *threadpin.Worker
	number int
	tx     *sql.Tx
	txName string
	txCtx  context.Context
	txEnd  context.CancelFunc
	rows   []*cancelRows
	stmts  []*sql.Stmt
}

type cancelRows struct {
	*sql.Rows
	ctx        context.Context
	cancel     context.CancelFunc
	query      string
	read, have int
}

func newCancelMachine(t *rapid.T) *cancelMachine {
	d := newCancelDriver(rapid.SampledFrom(cancelKinds).Draw(t, "driver"))
	m := &cancelMachine{t: t, d: d, hits: map[int]bool{}, onEnter: map[string]func(){}}
	batch := aio.WithBatch(rapid.SampledFrom(batchSizes).Draw(t, "batch"), 1<<20)
	count := aio.WithThread(
		threadpin.WithOnStart(func() error { m.workers.Add(1); return nil }),
		threadpin.WithOnStop(func() { m.workers.Add(-1) }))
	m.db, m.opened = d.countingDB(batch, count)
	m.fresh = d.openDB(batch, count)
	d.On("", m.entered)
	n := rapid.IntRange(1, 2).Draw(t, "sessions")
	m.mayOpen = n + 2
	m.db.SetMaxOpenConns(m.mayOpen)
	m.db.SetMaxIdleConns(m.mayOpen)
	m.fresh.SetMaxIdleConns(-1)
	for range n {
		s := &cancelSession{m: m}
		s.open()
		m.sessions = append(m.sessions, s)
	}
	return m
}

// entered runs in the driver, on the connection's thread.
func (m *cancelMachine) entered(c drivertest.Call) error {
	m.calls.Store(int64(c.Seq))
	if !cancelWorks(c) {
		return nil
	}
	m.mu.Lock()
	fn := m.onEnter[cancelToken(c)]
	m.mu.Unlock()
	if fn != nil {
		fn()
	}
	return nil
}

// log returns the driver's log. Copying it is dear: it is done when there is
// something new.
func (m *cancelMachine) log() []drivertest.Call {
	old := m.logged
	if int64(len(old)) != m.calls.Load() || slices.ContainsFunc(old[max(0, len(old)-64):], func(c drivertest.Call) bool { return !c.Done }) {
		m.logged = m.d.Log()
	}
	return m.logged
}

// cancelOwn is the key under which a context carries itself, so that it can be
// recognised when the driver gets it without its end.
type cancelOwn struct{}

func withOwn(ctx context.Context) context.Context {
	return context.WithValue(ctx, cancelOwn{}, ctx)
}

// cancelled reports whether the context that a ResetSession came with has ended.
func cancelled(c drivertest.Call) bool {
	if c.Method != "Conn.ResetSession" || c.Ctx == nil {
		return false
	}
	own, _ := c.Ctx.Value(cancelOwn{}).(context.Context)
	return own != nil && own.Err() != nil
}

// cancelWorks reports whether a call is what the application asked for, and
// not something that belongs to it.
func cancelWorks(c drivertest.Call) bool {
	switch c.Method {
	case "Conn.Exec", "Conn.ExecContext", "Conn.Query", "Conn.QueryContext", "Conn.Prepare", "Conn.PrepareContext",
		"Stmt.Exec", "Stmt.ExecContext", "Stmt.Query", "Stmt.QueryContext":
		return true
	}
	return false
}

// cancelToken returns the token in a call's argument or text.
func cancelToken(c drivertest.Call) string {
	for _, text := range []string{c.Args, c.Query} {
		if i := strings.Index(text, "token"); i >= 0 {
			return text[i : i+len("token")+6]
		}
	}
	return ""
}

func (m *cancelMachine) token() string {
	m.tokens++
	return fmt.Sprintf("token%06d", m.tokens)
}

func (m *cancelMachine) when(token string, fn func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onEnter[token] = fn
}

func (m *cancelMachine) fatalf(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("%s\nafter %s", fmt.Sprintf(format, args...), strings.Join(m.now, ", "))
}

func (m *cancelMachine) note(format string, args ...any) {
	m.now = append(m.now, fmt.Sprintf(format, args...))
	if len(m.now) > 8 {
		m.now = m.now[1:]
	}
}

func (m *cancelMachine) stage(of ...cancelStage) cancelStage {
	return rapid.SampledFrom(of).Draw(m.t, "stage")
}

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
	s := m.sessions[rapid.IntRange(0, len(m.sessions)-1).Draw(m.t, "session")]
	actions := []cancelAction{
		{"exec", s.exec, true},
		{"prepared exec", s.preparedExec, len(s.stmts) > 0 && s.tx == nil},
		{"query", s.query, len(s.rows) < 3},
		{"next", s.next, len(s.rows) > 0},
		{"cancel between rows", s.cancelBetweenRows, len(s.rows) > 0},
		{"cancel in Next", s.cancelInNext, true},
		{"cancel queued Next", s.cancelQueuedNext, len(s.rows) > 0},
		{"cancel unread", s.cancelUnread, true},
		{"abandon", s.abandon, m.d.kind.reader && len(s.rows) == 0},
		{"close rows", s.closeRows, len(s.rows) > 0},
		{"prepare", s.prepare, len(s.stmts) < 3 && s.tx == nil},
		{"close statement", s.closeStmt, len(s.stmts) > 0},
		{"begin", s.begin, s.tx == nil && len(s.rows) == 0},
		{"cancel transaction", s.cancelTx, s.tx != nil},
		{"commit", func() { s.endTx("Tx.Commit", s.tx.Commit) }, s.tx != nil},
		{"rollback", func() { s.endTx("Tx.Rollback", s.tx.Rollback) }, s.tx != nil},
		{"ping", s.ping, m.d.kind.features.Has(drivertest.Pinger)},
		{"raw", s.raw, true},
		{"reuse", s.reuse, s.quiet()},
		{"panic", s.panics, true},
		{"panic in Next", s.panicInNext, true},
		{"bad connection", s.badConn, s.quiet()},
		{"goexit", s.goexit, s.quiet()},
		{"connect", m.connect, true},
		{"burst", m.burst, true},
	}
	actions = slices.DeleteFunc(actions, func(a cancelAction) bool { return !a.ok })
	a := rapid.SampledFrom(actions).Draw(m.t, "action")
	m.note("c%d %s", s.number, a.name)
	a.run()
	m.check(s)
}

// check looks at all that must hold between steps.
func (m *cancelMachine) check(s *cancelSession) {
	if v := m.d.Violations(); len(v) > 0 {
		m.fatalf("rules broken:\n%s", strings.Join(v, "\n"))
	}
	interrupts := m.d.Interrupts()
	for _, i := range interrupts[m.checked:] {
		if i.Hit == 0 || m.hits[i.Hit] {
			continue
		}
		// IsValid ends each hop, so it belongs to the call that was interrupted.
		// So may ResetSession, if it got the context that has ended.
		hit := m.log()[i.Hit-1]
		if hit.Method != "Conn.IsValid" && !cancelled(hit) {
			m.fatalf("an interrupt hit #%d %v", i.Hit, hit)
		}
	}
	m.checked = len(interrupts)
	if n := cancelNumber(m, s.conn); n != s.number {
		m.fatalf("the session on c%d has got c%d", s.number, n)
	}
	if n := int(m.opened.Load()); n > m.mayOpen {
		m.fatalf("%d connections were opened, %d would do", n, m.mayOpen)
	}
}

func (m *cancelMachine) Helper()                           {}
func (m *cancelMachine) Fatalf(format string, args ...any) { m.fatalf(format, args...) }

// end closes everything in the right order; nothing may be left.
func (m *cancelMachine) end() {
	for _, s := range m.sessions {
		for len(s.rows) > 0 {
			s.drop(0)
		}
		if s.tx != nil {
			s.finishTx("Tx.Rollback", s.tx.Rollback())
		}
		for len(s.stmts) > 0 {
			s.closeStmt()
		}
		if err := s.conn.Close(); err != nil {
			m.fatalf("Conn.Close: %v", err)
		}
	}
	m.sessions = nil
	// A connection that database/sql closes in a goroutine of its own counts
	// as used until Close has returned there.
	harness.Until(m, "the pool unused", func() bool { return m.db.Stats().InUse == 0 })
	if st := m.db.Stats(); st.MaxIdleClosed+st.MaxIdleTimeClosed+st.MaxLifetimeClosed != 0 {
		m.fatalf("the pool has %+v", st)
	}
	m.db.Close()
	m.fresh.Close()
	m.d.check(m)
	if left := m.d.OpenObjects(); len(left) > 0 {
		m.fatalf("left open: %v", left)
	}
	harness.Until(m, "the end of all threads", func() bool { return m.workers.Load() == 0 })
}

// abort ends what a failed run has left behind.
func (m *cancelMachine) abort() {
	for _, fn := range m.cleanUps {
		fn()
	}
	m.d.Release()
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
	}()
}

// A cancelCall is one call of a session under a stage.
type cancelCall struct {
	m      *cancelMachine
	s      *cancelSession
	stage  cancelStage
	ctx    context.Context
	cancel context.CancelFunc
	token  string
	from   int // length of the log before
}

// call makes a call whose context ends at the stage and returns its error.
// entered is called with what the driver does when it is in the call; for calls
// with a token it may be nil.
func (s *cancelSession) call(stage cancelStage, entered func(fn func()) (remove func()), run func(*cancelCall) error) (*cancelCall, error) {
	m := s.m
	c := &cancelCall{m: m, s: s, stage: stage, ctx: cancelBackground, cancel: func() {}, token: m.token(), from: int(m.calls.Load())}
	if stage != stageNever {
		c.ctx, c.cancel = context.WithCancel(cancelBackground)
	}
	m.cleanUps = append(m.cleanUps, c.cancel)
	if entered == nil {
		entered = func(fn func()) func() { m.when(c.token, fn); return func() {} }
	}
	var err error
	switch stage {
	case stageBefore:
		c.cancel()
		err = run(c)
	case stageQueued:
		release := sync.OnceFunc(harness.Occupy(m, s.worker))
		m.cleanUps = append(m.cleanUps, release)
		wait := harness.Go(m, "a queued call", func() error { return run(c) })
		harness.Until(m, "the call queued", func() bool { return s.worker.Stats().Queued > 0 })
		c.cancel()
		err = wait()
		release()
	case stageRunning:
		reached := make(chan struct{}, 1)
		remove := entered(func() { reached <- struct{}{} })
		wait := harness.Go(m, "a running call", func() error { return run(c) })
		select {
		case <-reached:
		case <-time.After(harness.Patience):
			m.fatalf("%s never came to the driver", c.token)
		}
		c.cancel()
		err = wait()
		remove()
	case stageInside:
		remove := entered(c.cancel)
		err = run(c)
		remove()
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
	if stage != stageNever && stage != stageAfter {
		for i := c.from; i < int(m.calls.Load()); i++ {
			m.hits[i+1] = true // all are of this step
		}
	}
	return c, err
}

// reached returns what the driver did for the call.
func (c *cancelCall) reached(works func(drivertest.Call) bool) (calls []drivertest.Call) {
	for _, k := range c.m.log()[c.from:] {
		if k.Conn == c.s.number && works(k) {
			calls = append(calls, k)
		}
	}
	return calls
}

func (c *cancelCall) mine(k drivertest.Call) bool { return cancelWorks(k) && cancelToken(k) == c.token }

// judge compares what a call reported with what it did. It reports whether the
// call did its work.
func (c *cancelCall) judge(err error, works func(drivertest.Call) bool) (done bool) {
	c.m.t.Helper()
	if works == nil {
		works = c.mine
	}
	calls := c.reached(works)
	c.m.note("%s %s: %v", c.token, c.stage, err)
	var failed []drivertest.Call
	for _, k := range calls {
		if !k.Done {
			c.m.fatalf("%v has not ended", k)
		}
		if k.Err != nil {
			failed = append(failed, k)
		}
	}
	started := len(calls) > 0
	switch {
	case err == nil:
		if !started || len(failed) > 0 {
			c.m.fatalf("%s reported success, but did %v, of which failed %v", c.token, calls, failed)
		}
		if c.stage == stageBefore || c.stage == stageQueued || c.stage == stageRunning {
			c.m.fatalf("%s was cancelled %s and reported success", c.token, c.stage)
		}
		return true
	case c.stage == stageNever || c.stage == stageAfter:
		c.m.fatalf("%s failed: %v", c.token, err)
	case c.ctx.Err() == nil || err != c.ctx.Err():
		c.m.fatalf("%s failed with %v, its context with %v", c.token, err, c.ctx.Err())
	case started && (c.stage == stageBefore || c.stage == stageQueued):
		c.m.fatalf("%s was cancelled %s and ran: %v", c.token, c.stage, calls)
	case started && (len(failed) != 1 || failed[0].Err != drivertest.ErrInterrupted):
		c.m.fatalf("%s reported %v, but did %v", c.token, err, calls)
	case !started && c.stage == stageRunning:
		c.m.fatalf("%s was not seen running", c.token)
	}
	return false
}

// text is a statement that fits a stage.
func (c *cancelCall) text(words string) string {
	switch c.stage {
	case stageNever, stageAfter:
		words += " protected"
	case stageRunning:
		words = "interruptible"
	}
	return words + " -- " + c.token
}

func (s *cancelSession) open() {
	s.conn, s.worker, s.number = cancelConn(s.m, s.m.db)
	s.tx, s.txEnd, s.rows, s.stmts = nil, nil, nil, nil
}

// reopen gives the session another connection after its own was dropped.
func (s *cancelSession) reopen() {
	s.conn.Close()
	s.m.mayOpen++
	s.open()
}

// quiet reports whether nothing is open on the connection.
func (s *cancelSession) quiet() bool { return s.tx == nil && len(s.rows) == 0 && len(s.stmts) == 0 }

type cancelHandle interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

func (s *cancelSession) handle() cancelHandle {
	if s.tx != nil {
		return s.tx
	}
	return s.conn
}

var execTexts = []string{"noop", "slow 50us", "slow 5us affected 1", "skip noop"}

func (s *cancelSession) exec() {
	words := rapid.SampledFrom(execTexts).Draw(s.m.t, "words")
	c, err := s.call(s.m.stage(allStages...), nil, func(c *cancelCall) error {
		_, err := s.handle().ExecContext(c.ctx, c.text(words))
		return err
	})
	c.judge(err, c.noSkip())
	c.cancel()
}

// noSkip leaves the steps out of a call's work that end with ErrSkip.
func (c *cancelCall) noSkip() func(drivertest.Call) bool {
	return func(k drivertest.Call) bool { return c.mine(k) && k.Err != driver.ErrSkip }
}

func (s *cancelSession) prepare() {
	words := rapid.SampledFrom([]string{"noop ?", "slow 20us ?"}).Draw(s.m.t, "words")
	stage := s.m.stage(stageNever, stageAfter, stageBefore, stageQueued, stageInside, stageRacing, stageTimeout)
	var st *sql.Stmt
	c, err := s.call(stage, nil, func(c *cancelCall) (err error) {
		st, err = s.conn.PrepareContext(c.ctx, words+" -- "+c.token)
		return err
	})
	if c.judge(err, nil) {
		s.stmts = append(s.stmts, st)
	}
	c.cancel()
}

func (s *cancelSession) preparedExec() {
	st := s.stmts[rapid.IntRange(0, len(s.stmts)-1).Draw(s.m.t, "statement")]
	stage := s.m.stage(stageNever, stageAfter, stageBefore, stageQueued, stageInside, stageRacing, stageTimeout)
	c, err := s.call(stage, nil, func(c *cancelCall) error {
		_, err := st.ExecContext(c.ctx, c.token)
		return err
	})
	c.judge(err, nil)
	c.cancel()
}

func (s *cancelSession) closeStmt() {
	st := s.stmts[len(s.stmts)-1]
	s.stmts = s.stmts[:len(s.stmts)-1]
	for range 2 {
		if err := st.Close(); err != nil {
			s.m.fatalf("Stmt.Close: %v", err)
		}
	}
}

var rowCounts = []int{0, 1, 2, 3, 9, 40, 300}

func (s *cancelSession) query() {
	n := rapid.SampledFrom(rowCounts).Draw(s.m.t, "rows")
	words := fmt.Sprintf("rows %d", n)
	if n < 10 && rapid.Bool().Draw(s.m.t, "slow") {
		words += " slow 20us"
	}
	var rows *sql.Rows
	c, err := s.call(s.m.stage(allStages...), nil, func(c *cancelCall) (err error) {
		text := c.text(words)
		if c.stage == stageAfter { // it may be cancelled later, while rows are read ahead
			text = words + " -- " + c.token
		}
		rows, err = s.handle().QueryContext(c.ctx, text)
		return err
	})
	if !c.judge(err, nil) {
		c.cancel()
		return
	}
	s.rows = append(s.rows, &cancelRows{Rows: rows, ctx: c.ctx, cancel: c.cancel, query: c.token, have: n})
	if c.stage != stageNever && c.stage != stageAfter {
		s.cancelRows(len(s.rows) - 1)
	}
}

// advance reads a row and checks it.
func (r *cancelRows) advance(m *cancelMachine) bool {
	if !r.Next() {
		return false
	}
	r.read++
	var id int
	var name string
	var rest any
	if err := r.Scan(&id, &name, &rest, &rest, &rest, &rest, &rest); err != nil {
		if r.ctx.Err() != nil {
			return false
		}
		m.fatalf("Scan: %v", err)
	}
	if id != r.read || name != fmt.Sprintf("name %d", id) {
		m.fatalf("row %d of %s is (%d, %q)", r.read, r.query, id, name)
	}
	return true
}

func (s *cancelSession) next() {
	i := rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which")
	r := s.rows[i]
	for range rapid.SampledFrom([]int{1, 2, 10, 1000}).Draw(s.m.t, "times") {
		if !r.advance(s.m) {
			if r.Err() != nil || r.read != r.have {
				s.m.fatalf("%s ended after %d of %d rows with %v", r.query, r.read, r.have, r.Err())
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
		if err := r.Close(); err != nil {
			s.m.fatalf("Rows.Close: %v", err)
		}
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
		s.m.fatalf("%s: %v after its cancel", r.query, err)
	}
	if r.Err() == nil && r.read != r.have && r.ctx.Done() != nil {
		// The end of the context is not seen yet: Close comes first.
		r.Close()
	}
	r.Close()
	s.m.hit(0, r.query)
}

// hit allows interrupts in the calls of a query since from.
func (m *cancelMachine) hit(from int, token string) {
	for _, k := range m.log()[max(0, from-1):] {
		if strings.Contains(k.Query, token) && !strings.Contains(k.Query, "protected") || k.Method == "Conn.IsValid" {
			m.hits[k.Seq] = true // IsValid is asked in the same hop
		}
	}
}

func (s *cancelSession) cancelBetweenRows() {
	s.cancelRows(rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which"))
}

// cancelUnread cancels a query whose rows have come and that nobody has read.
func (s *cancelSession) cancelUnread() {
	c, err := s.call(stageAfter, nil, func(c *cancelCall) error {
		rows, err := s.handle().QueryContext(c.ctx, "rows 5 -- "+c.token)
		if err != nil {
			return err
		}
		cancelNumber(s.m, s.conn) // comes after the rows
		s.rows = append(s.rows, &cancelRows{Rows: rows, ctx: c.ctx, cancel: c.cancel, query: c.token, have: 5})
		return nil
	})
	if c.judge(err, nil) {
		s.cancelRows(len(s.rows) - 1)
	}
}

// cancelInNext cancels while the driver is busy with a row.
func (s *cancelSession) cancelInNext() {
	at := rapid.IntRange(2, 12).Draw(s.m.t, "at")
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	token := s.m.token()
	from := int(s.m.calls.Load())
	rows, err := s.handle().QueryContext(ctx, fmt.Sprintf("rows 20 block at %d -- %s", at, token))
	if err != nil {
		s.m.fatalf("Query: %v", err)
	}
	r := &cancelRows{Rows: rows, ctx: ctx, cancel: cancel, query: token, have: 20}
	wait := harness.Go(s.m, "Next", func() bool {
		for r.advance(s.m) {
		}
		return true
	})
	harness.Until(s.m, "the row that blocks", func() bool {
		n := 0
		for _, k := range s.m.log()[from:] {
			if k.Method == "Rows.Next" && strings.Contains(k.Query, token) {
				n++
			}
		}
		return n == at
	})
	cancel()
	wait()
	if r.read >= at || r.Err() != context.Canceled {
		s.m.fatalf("read %d rows before number %d that blocks, then %v", r.read, at, r.Err())
	}
	r.Close()
	s.m.hit(from, token)
}

// cancelQueuedNext cancels while rows are wanted but another call runs.
func (s *cancelSession) cancelQueuedNext() {
	i := rapid.IntRange(0, len(s.rows)-1).Draw(s.m.t, "which")
	r := s.rows[i]
	if r.ctx.Done() == nil {
		return
	}
	s.rows = slices.Delete(s.rows, i, i+1)
	release := sync.OnceFunc(harness.Occupy(s.m, s.worker))
	s.m.cleanUps = append(s.m.cleanUps, release)
	before := int(s.m.calls.Load())
	var over atomic.Bool
	wait := harness.Go(s.m, "a queued Next", func() bool {
		for r.advance(s.m) {
		}
		over.Store(true)
		return true
	})
	harness.Until(s.m, "rows wanted", func() bool { return over.Load() || s.worker.Stats().Queued > 0 })
	r.cancel()
	if n := int(s.m.calls.Load()); n != before {
		s.m.fatalf("the driver was called on a thread that is busy: %v", s.m.log()[before:])
	}
	release()
	wait()
	r.Close()
	if err := r.Err(); err != nil && err != context.Canceled || err == nil && r.read != r.have {
		s.m.fatalf("%s: %d of %d rows, then %v", r.query, r.read, r.have, err)
	}
	s.m.hit(0, r.query)
}

// abandon wants one row of a query whose second row never comes.
func (s *cancelSession) abandon() {
	from, token := int(s.m.calls.Load()), s.m.token()
	stage := s.m.stage(stageNever, stageAfter)
	ctx, cancel := cancelBackground, context.CancelFunc(func() {})
	if stage == stageAfter {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	h := s.handle()
	wait := harness.Go(s.m, "QueryRow", func() error {
		var id int
		var rest any
		return h.QueryRowContext(ctx, "rows 2 block at 2 -- "+token).Scan(&id, &rest, &rest, &rest, &rest, &rest, &rest)
	})
	if err := wait(); err != nil {
		s.m.fatalf("QueryRow: %v", err)
	}
	s.m.hit(from, token)
}

func (s *cancelSession) begin() {
	if !s.m.d.kind.clean {
		for len(s.stmts) > 0 { // database/sql may close the connection under them
			s.closeStmt()
		}
	}
	stages := allStages
	if !s.m.d.kind.features.Has(drivertest.ConnBeginTx) {
		stages = []cancelStage{stageNever, stageAfter}
	}
	stage := s.m.stage(stages...)
	var tx *sql.Tx
	c, err := s.call(stage, s.inBegin(stage), func(c *cancelCall) (err error) {
		tx, err = s.conn.BeginTx(c.ctx, nil)
		return err
	})
	begins := func(k drivertest.Call) bool { return strings.HasPrefix(k.Method, "Conn.Begin") }
	if !c.judge(err, begins) {
		c.cancel()
		s.noTx()
		return
	}
	s.tx, s.txCtx, s.txEnd = tx, c.ctx, c.cancel
	n := 0
	for _, k := range s.m.log() {
		if k.Conn == s.number && begins(k) && k.Err == nil {
			n++
		}
	}
	s.txName = fmt.Sprintf("c%d.t%d", s.number, n)
	if stage != stageNever && stage != stageAfter {
		s.cancelTx()
	}
}

// inBegin makes Begin wait, or end its context and go on.
func (s *cancelSession) inBegin(stage cancelStage) func(fn func()) func() {
	return func(fn func()) func() {
		if stage != stageRunning {
			return s.m.d.On("Conn.BeginTx", func(drivertest.Call) error { fn(); return nil })
		}
		g := s.m.d.Gate("Conn.BeginTx")
		s.m.cleanUps = append(s.m.cleanUps, g.Open)
		go func() { g.Wait(); fn() }()
		return g.Open
	}
}

// noTx checks that the driver has no transaction open on the connection.
func (s *cancelSession) noTx() {
	for _, k := range s.m.d.OpenObjects() {
		if strings.HasPrefix(k, fmt.Sprintf("c%d.t", s.number)) {
			s.m.fatalf("%s is open", k)
		}
	}
}

// cancelTx ends the context of a transaction: it is rolled back.
func (s *cancelSession) cancelTx() {
	if s.txCtx.Done() == nil {
		return
	}
	if s.txCtx.Err() == nil && rapid.Bool().Draw(s.m.t, "in a call") {
		from, token := int(s.m.calls.Load()), s.m.token()
		reached := make(chan struct{})
		s.m.when(token, func() { close(reached) })
		tx, ctx := s.tx, s.txCtx
		over := make(chan struct{})
		wait := harness.Go(s.m, "Exec", func() error {
			defer close(over)
			_, err := tx.ExecContext(ctx, "interruptible -- "+token)
			return err
		})
		select {
		case <-reached:
		case <-over: // the deadline was first
		}
		s.txEnd()
		if err := wait(); err != ctx.Err() && err != sql.ErrTxDone {
			s.m.fatalf("Exec in a transaction that ends: %v", err)
		}
		s.m.hit(from, token)
	}
	s.txEnd()
	rowsLeft := s.rows
	s.rows = nil
	harness.Until(s.m, "the rollback", func() bool {
		return !slices.Contains(s.m.d.OpenObjects(), s.txName)
	})
	for _, r := range rowsLeft {
		r.Close()
		r.cancel()
		s.m.hit(0, r.query)
	}
	if err := s.tx.Commit(); err != sql.ErrTxDone && err != s.txCtx.Err() {
		s.m.fatalf("Commit after the end of the context: %v", err)
	}
	s.ended("Tx.Rollback")
	if !s.m.d.kind.clean {
		harness.Until(s.m, "the end of the connection", func() bool { return !s.m.d.IsOpen(s.number) })
		s.reopen()
	}
	s.tx = nil
}

// ended checks that the transaction was ended once, by method.
func (s *cancelSession) ended(method string) {
	var methods []string
	for _, k := range s.m.log() {
		if k.Object == s.txName {
			methods = append(methods, k.Method)
		}
	}
	if !slices.Equal(methods, []string{method}) {
		s.m.fatalf("%s has seen %v, not %s", s.txName, methods, method)
	}
}

// endTx commits or rolls back, while the context of the transaction ends.
func (s *cancelSession) endTx(method string, end func() error) {
	stages := []cancelStage{stageNever}
	if s.txCtx.Done() != nil {
		stages = append(stages, stageRunning, stageQueued, stageRacing)
	}
	for len(s.rows) > 0 {
		s.drop(0)
	}
	switch s.m.stage(stages...) {
	case stageNever:
		s.finishTx(method, end())
	case stageRunning:
		g := s.m.d.Gate(method)
		s.m.cleanUps = append(s.m.cleanUps, g.Open)
		wait := harness.Go(s.m, method, end)
		g.Wait()
		s.txEnd()
		g.Open()
		s.finishTx(method, wait())
	case stageQueued:
		release := sync.OnceFunc(harness.Occupy(s.m, s.worker))
		s.m.cleanUps = append(s.m.cleanUps, release)
		wait := harness.Go(s.m, method, end)
		harness.Until(s.m, "the call queued", func() bool { return s.worker.Stats().Queued > 0 })
		s.txEnd()
		release()
		s.finishTx(method, wait())
	case stageRacing:
		spin, txEnd := s.m.spin(), s.txEnd
		go func() { spin(); txEnd() }()
		if err := end(); err == nil {
			s.finishTx(method, nil)
		} else if err == context.Canceled || err == sql.ErrTxDone {
			s.cancelTx()
		} else {
			s.m.fatalf("%s: %v", method, err)
		}
	}
}

func (s *cancelSession) finishTx(method string, err error) {
	if err != nil {
		s.m.fatalf("%s: %v", method, err)
	}
	s.txEnd()
	s.ended(method)
	s.tx = nil
}

func (s *cancelSession) ping() {
	stage := s.m.stage(allStages...)
	c, err := s.call(stage, func(fn func()) func() {
		if stage != stageRunning {
			return s.m.d.On("Conn.Ping", func(drivertest.Call) error { fn(); return nil })
		}
		g := s.m.d.Gate("Conn.Ping")
		s.m.cleanUps = append(s.m.cleanUps, g.Open)
		go func() { g.Wait(); fn() }()
		return g.Open
	}, func(c *cancelCall) error { return s.conn.PingContext(c.ctx) })
	c.judge(err, func(k drivertest.Call) bool { return k.Method == "Conn.Ping" })
	c.cancel()
}

// raw cancels functions that run on the thread. Once begun they are waited for.
func (s *cancelSession) raw() {
	stage := s.m.stage(stageNever, stageAfter, stageBefore, stageQueued, stageInside, stageRacing, stageTimeout)
	ran := false
	var inside func()
	c, err := s.call(stage, func(fn func()) func() { inside = fn; return func() {} }, func(c *cancelCall) error {
		return aio.Raw(c.ctx, s.conn, func(driver.Conn) error {
			if inside != nil {
				inside()
			}
			ran = true
			return nil
		})
	})
	if (err == nil) != ran {
		s.m.fatalf("Raw: ran %t, error %v", ran, err)
	}
	if (stage == stageBefore || stage == stageQueued) && ran {
		s.m.fatalf("Raw ran after its cancel")
	}
	if err != nil && err != c.ctx.Err() {
		s.m.fatalf("Raw: %v", err)
	}
	c.cancel()
}

// reuse gives the connection back to the pool and takes it out again, perhaps
// with a context that ends in ResetSession.
func (s *cancelSession) reuse() {
	taken := []*sql.Conn{} // all others that are idle, so that the session gets its own again
	for range s.m.db.Stats().Idle {
		c, _, _ := cancelConn(s.m, s.m.db)
		taken = append(taken, c)
	}
	for range 2 {
		if err := s.conn.Close(); err != nil && err != sql.ErrConnDone {
			s.m.fatalf("Conn.Close: %v", err)
		}
	}
	old := s.number
	s.open()
	if s.number != old {
		s.m.fatalf("c%d was not reused, but c%d", old, s.number)
	}
	for _, c := range taken {
		c.Close()
	}
}

// panics raises a panic in the driver. The caller gets it, and the connection
// goes on.
func (s *cancelSession) panics() {
	token := s.m.token()
	s.m.when(token, func() { panic(token) })
	func() {
		defer func() {
			if v := recover(); v != token {
				s.m.fatalf("recovered %v, not %s", v, token)
			}
		}()
		ctx, cancel := context.WithCancel(cancelBackground)
		defer cancel()
		s.handle().ExecContext(ctx, "noop protected -- "+token)
	}()
}

func (s *cancelSession) panicInNext() {
	at := rapid.IntRange(1, 9).Draw(s.m.t, "at")
	token := s.m.token()
	n := 0
	remove := s.m.d.On("Rows.Next", func(k drivertest.Call) error {
		if strings.Contains(k.Query, token) {
			if n++; n == at {
				panic(token)
			}
		}
		return nil
	})
	defer remove()
	rows, err := s.handle().QueryContext(cancelBackground, "rows 10 protected -- "+token)
	if err != nil {
		s.m.fatalf("Query: %v", err)
	}
	r := &cancelRows{Rows: rows, ctx: cancelBackground, query: token, have: 10}
	func() {
		defer func() {
			if v := recover(); v != token || r.read != at-1 {
				s.m.fatalf("recovered %v after %d rows, not %s after %d", v, r.read, token, at-1)
			}
		}()
		for r.advance(s.m) {
		}
	}()
	if err := r.Close(); err != nil {
		s.m.fatalf("Close after a panic: %v", err)
	}
}

// badConn makes the pool drop the connection.
func (s *cancelSession) badConn() {
	err := aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { return driver.ErrBadConn })
	if err != driver.ErrBadConn {
		s.m.fatalf("Raw: %v", err)
	}
	s.gone()
}

// goexit ends the connection's thread.
func (s *cancelSession) goexit() {
	err := aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { runtime.Goexit(); return nil })
	if err != threadpin.ErrGoexit {
		s.m.fatalf("Raw: %v", err)
	}
	if err := s.conn.PingContext(cancelBackground); err != nil && !errors.Is(err, driver.ErrBadConn) {
		s.m.fatalf("Ping without a thread: %v", err)
	}
	aio.Raw(cancelBackground, s.conn, func(driver.Conn) error { return nil })
	s.gone()
}

func (s *cancelSession) gone() {
	harness.Until(s.m, "the end of the connection", func() bool { return !s.m.d.IsOpen(s.number) })
	s.reopen()
}

// connect opens a connection whose context ends meanwhile.
func (m *cancelMachine) connect() {
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	before := m.d.OpenConns()
	var conn *sql.Conn
	var err error
	stage := m.stage(stageBefore, stageRunning, stageInside, stageRacing)
	run := func() error { conn, err = m.fresh.Conn(ctx); return err }
	switch stage {
	case stageBefore:
		cancel()
		run()
	case stageRunning:
		g := m.d.Gate("Connector.Connect")
		m.cleanUps = append(m.cleanUps, g.Open)
		wait := harness.Go(m, "Connect", run)
		g.Wait()
		cancel()
		wait()
		g.Open()
	case stageInside:
		remove := m.d.On("Connector.Connect", func(drivertest.Call) error { cancel(); return nil })
		run()
		remove()
	case stageRacing:
		spin := m.spin()
		go func() { spin(); cancel() }()
		run()
	}
	if err == nil {
		if stage != stageRacing {
			m.fatalf("connected, though cancelled %s", stage)
		}
		conn.Close()
	} else if err != context.Canceled {
		m.fatalf("Connect: %v", err)
	}
	harness.Until(m, "the end of the new connection", func() bool { return m.d.OpenConns() == before })
}

// burst makes many calls at once through the pool.
func (m *cancelMachine) burst() {
	n := rapid.IntRange(2, 6).Draw(m.t, "calls")
	type call struct {
		token string
		ctx   context.Context
		err   error
	}
	calls := make([]call, n)
	from := int(m.calls.Load())
	var wg sync.WaitGroup
	for i := range calls {
		c := &calls[i]
		c.token = m.token()
		ctx, cancel := context.WithCancel(cancelBackground)
		defer cancel()
		c.ctx = withOwn(ctx)
		spin := m.spin()
		what := rapid.SampledFrom([]string{"noop", "slow 50us", "rows 12", "interruptible"}).Draw(m.t, "what")
		query := what + " -- " + c.token
		wg.Add(1)
		go func() { spin(); cancel() }()
		go func() {
			defer wg.Done()
			if !strings.HasPrefix(what, "rows") {
				_, c.err = m.db.ExecContext(c.ctx, query)
				return
			}
			rows, err := m.db.QueryContext(c.ctx, query)
			if err == nil {
				for rows.Next() {
				}
				err = rows.Close()
			}
			c.err = err
		}()
	}
	wg.Wait()
	harness.Until(m, "the pool idle", func() bool { return m.db.Stats().InUse == len(m.sessions) })
	log := m.log()[from:]
	for _, c := range calls {
		if c.err != nil && c.err != c.ctx.Err() {
			m.fatalf("%s: %v", c.token, c.err)
		}
		var did []drivertest.Call
		for _, k := range log {
			if strings.Contains(k.Query, c.token) {
				m.hits[k.Seq] = true
				if cancelWorks(k) {
					did = append(did, k)
				}
			}
		}
		switch {
		case c.err == nil && (len(did) != 1 || did[0].Err != nil):
			m.fatalf("%s reported success, but did %v", c.token, did)
		case c.err != nil && len(did) > 0 && (len(did) != 1 || did[0].Err != drivertest.ErrInterrupted):
			m.fatalf("%s reported %v, but did %v", c.token, c.err, did)
		}
	}
}
