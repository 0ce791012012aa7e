package ledger_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

// The model of everything at once: programs of a few goroutines that write in all ways to one
// engine, with faults at every step. The ledger decides. A step is a statement, or what a
// function does instead of one.

const (
	modelTasks     = 4  // goroutines of a program
	modelTaskSteps = 10 // of each
)

var modelSteps = flag.Int("model.steps", 0, "how many steps the models take on each database; 0: as many as take some 10 seconds with the race detector")

func TestModelOnSQLite(t *testing.T) {
	db := sqliteFile(t, "WAL")
	db.dsn = strings.Replace(db.dsn, "_busy_timeout=2000", "_busy_timeout=5&_foreign_keys=1", 1)
	db.bare(t, "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
		"CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
	newModel(t, db).run(5000)
}

// The scripted driver's faults are those that no database makes on demand: slow answers and
// none, failing commits and rollbacks, connections that are dead or cannot be made.
func TestModelOnBank(t *testing.T) {
	newModel(t, newBank("ledgerbank")).run(8000)
}

func TestModelOnMariaDB(t *testing.T) {
	db := mariaDB(t)
	db.dsn += "&innodb_lock_wait_timeout=1"
	newModel(t, db).run(4000)
}

type model struct {
	t    *testing.T
	db   *database
	side *sql.DB        // of one connection, on which no fault falls; nil for a bank
	late map[int64]bool // what was called unknown, and may still come

	ways     []way
	scopes   []scope // these take steps
	programs *rapid.Generator[program]

	failed bool // a program has, and was shown
	steps  atomic.Int64
	tally  [3]int // of beliefs
}

func newModel(t *testing.T, db *database) *model {
	m := &model{t: t, db: db, late: make(map[int64]bool), ways: ways(), scopes: bankScopes()}
	m.programs = rapid.Custom(m.drawProgram)
	if db.bank != nil {
		m.ways = slices.DeleteFunc(m.ways, func(w way) bool { return strings.Contains(w.name, "BEGIN") })
		return m
	}
	// After a BEGIN in the text on a sql.Conn of the pool's all goes on as with the bare driver,
	// also when the database has rolled back: no fault is made there.
	m.scopes = slices.DeleteFunc(scopes(), func(s scope) bool { return s.name == "sql.Conn BEGIN" })
	db.bare(t, "CREATE TABLE locks (name VARCHAR(10) PRIMARY KEY, n INT NOT NULL)",
		"INSERT INTO locks VALUES ('a', 0), ('b', 0)")
	m.side = db.openBare(t)
	m.side.SetMaxOpenConns(1)
	for _, s := range []string{"SET innodb_lock_wait_timeout = 10", "PRAGMA busy_timeout = 10000"} {
		if strings.HasPrefix(s, "SET") == db.maria {
			_, err := m.side.Exec(s)
			noError(t, s, err)
		}
	}
	return m
}

func (m *model) run(steps int) {
	if *modelSteps > 0 {
		steps = *modelSteps
	} else if testing.Short() {
		steps /= 20
	}
	seed := flag.Lookup("rapid.seed").Value.String()
	if seed == "0" {
		seed = fmt.Sprint(time.Now().UnixNano())
	}
	per := modelTasks * modelTaskSteps
	for name, value := range map[string]string{
		"seed": seed, "checks": fmt.Sprint((steps + per - 1) / per), "nofailfile": "true", "shrinktime": "10s",
	} {
		f := flag.Lookup("rapid." + name)
		old := f.Value.String()
		noError(m.t, name, f.Value.Set(value))
		m.t.Cleanup(func() { f.Value.Set(old) })
	}
	start := time.Now()
	defer func() {
		m.t.Logf("%d steps, seed %s, in %v; rows acknowledged %d, refused %d, unknown %d", m.steps.Load(), seed,
			time.Since(start).Round(time.Millisecond), m.tally[acknowledged], m.tally[refused], m.tally[unknown])
	}()
	rapid.Check(m.t, m.program)
}

// A program is what each goroutine does, and with what engine.
type program struct {
	tasks [modelTasks][]action
	opts  []overlay.Option
	with  string // the options, and a bank's faults
	bank  []bankFault
}

func (p program) String() string {
	s := fmt.Sprintf("the program, with %s %v:", p.with, p.bank)
	for i, actions := range p.tasks {
		s += fmt.Sprintf("\n\ttask %d:", i)
		for _, a := range actions {
			s += "\n\t\t" + a.String()
		}
	}
	return s
}

func (p program) GoString() string { return p.String() }

func (m *model) drawProgram(rt *rapid.T) (p program) {
	for i := range p.tasks {
		for left := modelTaskSteps; left > 0; {
			a := m.draw(rt, left)
			left -= max(1, len(a.steps))
			p.tasks[i] = append(p.tasks[i], a)
		}
	}
	lanes := 1 + pick(rt, 3)
	p.opts, p.with = []overlay.Option{overlay.WithLanes(lanes)}, fmt.Sprintf("%d lanes", lanes)
	if pick(rt, 2) == 0 {
		p.opts, p.with = append(p.opts, overlay.WithQueue(2)), p.with+", a queue of 2"
	}
	if m.db.bank != nil {
		for range pick(rt, 10) {
			p.bank = append(p.bank, drawBankFault(rt))
		}
	}
	return p
}

// run draws a program, runs it, and compares.
func (m *model) program(rt *rapid.T) {
	p := m.programs.Draw(rt, "program")
	var f failures
	base := runtime.NumGoroutine()
	m.db.l = &ledger{last: m.db.l.last, writes: make(map[int64]*record)}
	if m.db.bank != nil {
		m.db.bank.script(p.bank)
	} else {
		owner := m.db.l.next("the key's owner")
		_, err := m.side.Exec("INSERT INTO ledger (id, k) VALUES (?, 1)", owner)
		noError(m.t, "the key", m.db.l.told(owner, err))
	}
	e, err := overlay.Open(m.db.driver, m.db.dsn, p.opts...)
	noError(m.t, "open", err)
	within(m.t, "a program", func() error {
		var wg sync.WaitGroup
		for _, actions := range p.tasks {
			wg.Add(1)
			go func() {
				defer wg.Done()
				(&task{m: m, e: e}).run(&f, actions)
			}()
		}
		wg.Wait()
		return nil
	})
	m.db.shut(m.t, e)
	m.compare(&f)
	until(m.t, "the end of a program's goroutines", func() bool { return runtime.NumGoroutine() <= base })
	if len(f.texts) == 0 {
		return
	}
	if !m.failed { // what does not fail again rapid says nothing of
		m.failed = true
		m.t.Logf("%v%s", p, strings.Join(f.texts, "\n"))
		for id, r := range m.db.l.writes {
			m.t.Logf("%d %s %s, in %p", id, r.what, r.describe(), r.of)
		}
	}
	rt.Fatal(strings.Join(f.texts, "\n"))
}

// compare empties the table, and compares it with the ledger.
func (m *model) compare(f *failures) {
	have := m.empty()
	for id := range have {
		if m.late[id] {
			delete(have, id)
			delete(m.late, id)
		}
	}
	m.db.l.quoted()
	m.db.l.check(f, have)
	for id, r := range m.db.l.writes {
		m.tally[r.belief]++
		known := r.belief == refused
		for g := r.of; g != nil; g = g.outer {
			known = known || g.belief == refused
		}
		if !known && have[id] == 0 {
			m.late[id] = true
		}
	}
}

// empty returns what is in the table, and deletes it, which waits for every transaction that
// is open.
func (m *model) empty() map[int64]int {
	if b := m.db.bank; b != nil {
		m.db.wantFree(m.t)
		b.mu.Lock()
		defer b.mu.Unlock()
		have := b.table
		b.table = map[int64]int{}
		return have
	}
	rows, err := m.side.QueryContext(bounded(m.t), "DELETE FROM ledger RETURNING id")
	noError(m.t, "empty the table", err)
	defer rows.Close()
	have := make(map[int64]int)
	for rows.Next() {
		var id int64
		noError(m.t, "read a row", rows.Scan(&id))
		have[id]++
	}
	noError(m.t, "empty the table", rows.Err())
	return have
}

// failures are what a program has done wrong.
type failures struct {
	mu    sync.Mutex
	texts []string // guarded by mu
}

func (*failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts = append(f.texts, fmt.Sprintf(format, args...))
}

// quoted makes that unknown of which database/sql's own methods have returned the driver's
// error as it is: the connection was lost.
func (l *ledger) quoted() {
	vague := func(what string, b *belief, err error) {
		if *b == refused && verbatim(what) && errors.Is(err, mysql.ErrInvalidConn) {
			*b = unknown
		}
	}
	for _, r := range l.writes {
		vague(r.what, &r.belief, r.err)
		for g := r.of; g != nil; g = g.outer {
			vague(g.what, &g.belief, g.err)
		}
	}
}
