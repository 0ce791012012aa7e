package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"maps"
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

// modelWays are the ways to write; those that take steps are in modelScopes. After a BEGIN in
// the text on a sql.Conn of the pool's all goes on as with the bare driver, also when the
// database has rolled back: no fault is made there.
var modelWays, modelScopes = ways(), slices.DeleteFunc(scopes(), func(s scope) bool { return s.name == "sql.Conn BEGIN" })

func TestModelOnSQLite(t *testing.T) {
	db := sqliteFile(t, "WAL")
	db.dsn = strings.Replace(db.dsn, "_busy_timeout=2000", "_busy_timeout=100&_foreign_keys=1", 1)
	db.bare(t, "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
		"CREATE TABLE child (parent INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
	newModel(t, db).run(5000)
}

func TestModelOnMariaDB(t *testing.T) {
	db := mariaDB(t)
	db.dsn += "&innodb_lock_wait_timeout=1"
	newModel(t, db).run(4000)
}

type model struct {
	t    *testing.T
	db   *database
	side *sql.DB        // of one connection, on which no fault falls
	late map[int64]bool // what was called unknown, and may still come

	programs *rapid.Generator[program]

	steps atomic.Int64
	tally [3]int // of beliefs
}

func newModel(t *testing.T, db *database) *model {
	db.bare(t, "CREATE TABLE locks (name VARCHAR(10) PRIMARY KEY, n INT NOT NULL)",
		"INSERT INTO locks VALUES ('a', 0), ('b', 0)")
	side := db.openBare(t)
	side.SetMaxOpenConns(1)
	for _, s := range []string{"SET innodb_lock_wait_timeout = 10", "PRAGMA busy_timeout = 10000"} {
		if strings.HasPrefix(s, "SET") == db.maria {
			_, err := side.Exec(s)
			noError(t, s, err)
		}
	}
	m := &model{t: t, db: db, side: side, late: make(map[int64]bool)}
	m.programs = rapid.Custom(m.drawProgram)
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
	lanes int
	queue string
}

func (p program) String() string {
	s := fmt.Sprintf("the program, with %d lanes%s:", p.lanes, p.queue)
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
	p.lanes = 1 + pick(rt, 3)
	p.opts = append(p.opts, overlay.WithLanes(p.lanes))
	if pick(rt, 2) == 0 {
		p.queue, p.opts = " and a queue of 2", append(p.opts, overlay.WithQueue(2))
	}
	return p
}

// run draws a program, runs it, and compares.
func (m *model) program(rt *rapid.T) {
	p := m.programs.Draw(rt, "program")
	base := runtime.NumGoroutine()
	m.db.l = &ledger{last: m.db.l.last, writes: make(map[int64]*record)}
	owner := m.db.l.next("the key's owner")
	_, err := m.side.Exec("INSERT INTO ledger (id, k) VALUES (?, 1)", owner)
	noError(m.t, "the key", m.db.l.told(owner, err))
	e, err := overlay.Open(m.db.driver, m.db.dsn, p.opts...)
	noError(m.t, "open", err)
	within(m.t, "a program", func() error {
		var wg sync.WaitGroup
		for _, actions := range p.tasks {
			wg.Add(1)
			go func() {
				defer wg.Done()
				(&task{m: m, e: e}).run(rt, actions)
			}()
		}
		wg.Wait()
		return nil
	})
	m.db.shut(m.t, e)
	m.compare(rt)
	until(m.t, "the end of a program's goroutines", func() bool { return runtime.NumGoroutine() <= base })
	if rt.Failed() {
		rt.Errorf("%v", p) // rapid says it only of what fails again
	}
}

// compare empties the table, which waits for every transaction that is open.
func (m *model) compare(rt *rapid.T) {
	rows, err := m.side.QueryContext(bounded(m.t), "DELETE FROM ledger RETURNING id")
	noError(m.t, "empty the table", err)
	defer rows.Close()
	have := make(map[int64]int)
	for rows.Next() {
		var id int64
		noError(m.t, "read a row", rows.Scan(&id))
		if !m.late[id] {
			have[id]++
		}
		delete(m.late, id)
	}
	noError(m.t, "empty the table", rows.Err())
	m.db.l.quoted()
	m.db.l.check(rt, have)
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

// An action is what a task does next.
type action struct {
	name  string
	steps []step
	texts []string      // the steps'
	ends  time.Duration // when its context ends, if not 0
	run   func(t *task, ctx context.Context, a action)
}

func (a action) String() string {
	s := a.name
	if len(a.texts) > 0 {
		s += fmt.Sprint(a.texts)
	}
	if a.ends > 0 {
		s += fmt.Sprint(" within ", a.ends)
	}
	return s
}

var byte8 = rapid.Custom(func(t *rapid.T) (n int) {
	for range 8 { // unlike an integer's, a bool's values are equally frequent
		n *= 2
		if rapid.Bool().Draw(t, "bit") {
			n++
		}
	}
	return n
})

func pick(rt *rapid.T, n int) int { return byte8.Draw(rt, "pick") % n }

// ends draws when a context ends: most never do.
func ends(rt *rapid.T) time.Duration {
	if pick(rt, 4) > 0 {
		return 0
	}
	return time.Duration(1+8*pick(rt, 256)) * time.Microsecond
}

func (m *model) draw(rt *rapid.T, room int) action {
	a := action{ends: ends(rt)}
	switch n := pick(rt, 64); {
	case n < 24:
		w := modelWays[pick(rt, len(modelWays))]
		a.name = w.name
		a.run = func(t *task, ctx context.Context, _ action) { w.write(ctx, t.e, m.db.l) }
		return a
	case n < 44:
		s := modelScopes[pick(rt, len(modelScopes))]
		a.name = s.name
		a.run = func(t *task, ctx context.Context, a action) { s.run(ctx, t.e, m.db.l, a.steps) }
	case n < 50:
		a.name, a.run = "own WithTx", (*task).inTx
	case n < 54:
		s := singles[pick(rt, len(singles))]
		a.name = "own " + s.name
		a.run = func(t *task, ctx context.Context, _ action) { t.single(ctx, s) }
		return a
	case n < 57:
		a.name, a.run = "many", (*task).many
		return a
	case n < 60:
		a.name, a.run = "CloseAsync", (*task).closing
		return a
	case n == 60:
		a.name, a.run = "Shutdown", (*task).shutdown
		return a
	default:
		a.name, a.run = "kill", (*task).kill
		return a
	}
	for range min(room, 1+pick(rt, 5)) {
		s, text := m.drawStep(rt)
		a.steps, a.texts = append(a.steps, s), append(a.texts, text)
	}
	return a
}

var errModel = errors.New("the model's own panic")

func (m *model) drawStep(rt *rapid.T) (step, string) {
	lock := func(name string) step { return step{query: "UPDATE locks SET n = n + 1 WHERE name = '" + name + "'"} }
	var s step
	text := ""
	switch n := pick(rt, 32); {
	case n < 16:
		s, text = row, "row"
	case n < 20:
		s, text = lock("a"), "a"
	case n < 24:
		s, text = lock("b"), "b"
	case n == 24:
		s, text = step{query: "INSERT INTO nowhere VALUES (1)"}, "fail"
	case n == 25:
		return step{do: func() { panic(errModel) }}, "panic"
	case n == 26:
		return step{do: runtime.Goexit}, "Goexit"
	case n == 27:
		return step{do: func() { time.Sleep(time.Millisecond) }}, "nap"
	case n < 30 && m.db.maria:
		s, text = step{query: "KILL CONNECTION_ID()"}, "KILL"
	case n < 30:
		s, text = step{query: insertOrRollback, row: true}, "OR ROLLBACK"
	case m.db.maria:
		s, text = step{query: "INSERT INTO ledger (id, k) VALUES (?, 1)", row: true}, "duplicate"
	default:
		s, text = step{query: "INSERT INTO child VALUES (1)"}, "no parent"
	}
	if s.ends = ends(rt); s.ends > 0 {
		text += fmt.Sprint(" within ", s.ends)
	}
	return s, text
}

// A task is one goroutine of a program.
type task struct {
	m    *model
	e    *overlay.Engine
	conn *overlay.Conn // nil until it is needed
}

func (t *task) run(rt *rapid.T, actions []action) {
	for _, a := range actions {
		ctx, cancel := context.WithCancel(background)
		if a.ends > 0 {
			ctx, cancel = context.WithTimeout(background, a.ends)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if v := recover(); v != nil && !strings.Contains(fmt.Sprint(v), errModel.Error()) {
					rt.Errorf("a panic in %v: %v", a, v)
				}
			}()
			a.run(t, ctx, a)
		}()
		<-done
		cancel()
		t.m.steps.Add(int64(max(1, len(a.steps))))
	}
	if t.conn != nil {
		<-t.conn.CloseAsync(background).Done()
	}
}

// own calls fn with the task's own connection.
func (t *task) own(fn func(c *overlay.Conn)) {
	if t.conn == nil {
		c, err := t.e.ConnectAsync(background).Await(background)
		if err != nil {
			return
		}
		t.conn = c
	}
	fn(t.conn)
}

func (t *task) single(ctx context.Context, s single) {
	t.own(func(c *overlay.Conn) {
		id := t.m.db.l.next("own " + s.name)
		t.m.db.l.told(id, s.exec(ctx, c, s.text(), id))
	})
}

// inTx nests the second half of the steps.
func (t *task) inTx(ctx context.Context, a action) {
	t.own(func(c *overlay.Conn) {
		half := len(a.steps) / 2
		g := t.m.db.l.begin("own WithTx")
		g.ended(c.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			take(ctx, g, a.steps[:half], asyncExec(c))
			n := g.nested("own WithNested")
			n.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				take(ctx, n, a.steps[half:], asyncExec(c))
				return nil
			}))
			return g.row(ctx, c)
		}))
	})
}

// insert makes n calls at once, and cancels one.
func (t *task) insert(ctx context.Context, to target, n int, what string) (wait func()) {
	told := make(map[int64]*overlay.Future[sql.Result])
	for i := range n {
		id := t.m.db.l.next(what)
		told[id] = to.ExecAsync(ctx, insert, id)
		if i == 1 {
			told[id].Cancel()
		}
	}
	return func() {
		for id, f := range maps.All(told) {
			<-f.Done()
			_, err, _ := f.TryResult()
			t.m.db.l.told(id, err)
		}
	}
}

func (t *task) many(ctx context.Context, _ action) { t.insert(ctx, t.e, 8, "one of many")() }

// closing closes the connection between calls.
func (t *task) closing(ctx context.Context, _ action) {
	t.own(func(c *overlay.Conn) {
		before := t.insert(ctx, c, 3, "before CloseAsync")
		f := c.CloseAsync(ctx)
		after := t.insert(ctx, c, 2, "after CloseAsync")
		t.conn = nil
		before()
		after()
		<-f.Done()
	})
}

func (t *task) shutdown(context.Context, action) {
	ctx, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	t.e.Shutdown(ctx)
}

// kill ends somebody's connection.
func (t *task) kill(ctx context.Context, _ action) {
	if !t.m.db.maria {
		return
	}
	const any = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() ORDER BY RAND() LIMIT 1"
	var id int64
	if t.m.side.QueryRow(any).Scan(&id) == nil {
		t.m.side.Exec("KILL " + itoa(id))
	}
}
