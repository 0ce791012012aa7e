package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

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
	controls := m.db.bank == nil // where ErrTxEnded is promised: in a sql.Tx all goes on as with the bare driver
	switch n := pick(rt, 64); {
	case n < 24:
		w := m.ways[pick(rt, len(m.ways))]
		a.name = w.name
		a.run = func(t *task, ctx context.Context, _ action) { w.write(ctx, t.e, m.db.l) }
		return a
	case n < 44:
		s := m.scopes[pick(rt, len(m.scopes))]
		a.name = s.name
		controls = controls && (s.kind == byOverlay || s.kind == byHand)
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
	case n == 60 && pick(rt, 2) == 0:
		a.name, a.run = "Shutdown", (*task).shutdown
		return a
	default:
		a.name, a.run = "kill", (*task).kill // of a connection, on MariaDB
		return a
	}
	for range min(room, 1+pick(rt, 5)) {
		s, text := m.drawStep(rt, controls)
		a.steps, a.texts = append(a.steps, s), append(a.texts, text)
	}
	return a
}

var errModel = errors.New("the model's own panic")

func (m *model) drawStep(rt *rapid.T, controls bool) (step, string) {
	lock := func(name string) step { return step{query: "UPDATE locks SET n = n + 1 WHERE name = '" + name + "'"} }
	var s step
	text := ""
	switch n := pick(rt, 32); {
	case n < 2 && controls:
		texts := []string{"COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "CREATE TABLE IF NOT EXISTS locks (n INT)"}
		if !m.db.maria {
			texts = []string{"COMMIT", "ROLLBACK", "END; BEGIN", "ROLLBACK; BEGIN"}
		}
		text = texts[pick(rt, len(texts))]
		s = step{query: text, control: true}
	case n < 12:
		s, text = row, "row"
	case n < 18:
		s, text = lock("a"), "a"
	case n < 24:
		s, text = lock("b"), "b"
	case n == 24:
		s, text = step{query: "UPDATE nowhere SET n = 1"}, "fail"
	case n == 25:
		return step{do: func() { panic(errModel) }}, "panic"
	case n == 26:
		return step{do: runtime.Goexit}, "Goexit"
	case n == 27:
		return step{do: func() { time.Sleep(time.Millisecond) }}, "nap"
	case m.db.bank != nil:
		s, text = row, "row"
	case m.db.maria && n < 30:
		s, text = step{query: "KILL CONNECTION_ID()"}, "KILL"
	case m.db.maria:
		s, text = step{query: "INSERT INTO ledger (id, k) VALUES (?, 1)", row: true}, "duplicate"
	case n < 30:
		s, text = step{query: insertOrRollback, row: true}, "OR ROLLBACK"
	default:
		s, text = step{query: "INSERT INTO child VALUES (1)"}, "no parent"
	}
	if s.ends = ends(rt); s.ends > 0 {
		text += fmt.Sprint(" within ", s.ends)
	}
	return s, text
}

// A bankFault is what a step of the scripted driver's does at one of its calls.
type bankFault struct {
	step string
	call int // counted from 0
	what string
	do   hook
}

func (f bankFault) String() string { return fmt.Sprintf("%s at %s %d", f.what, f.step, f.call) }

func drawBankFault(rt *rapid.T) bankFault {
	steps := []string{"exec", "commit", "begin", "rollback", "query", "connect", "savepoint", "release", "prepare", "executed", "committed", "next"}
	f := bankFault{step: steps[pick(rt, len(steps))], call: pick(rt, 16)}
	after := f.step == "executed" || f.step == "committed" || f.step == "next"
	pause := func(d time.Duration) hook {
		return func(*bankConn) error { time.Sleep(d); return nil }
	}
	switch n := pick(rt, 8); {
	case n == 0:
		f.what, f.do = "no answer", pause(150*time.Millisecond) // longer than anybody waits for one
	case n < 3 || after: // what has been carried out cannot fail any more
		f.what, f.do = "slow", pause(time.Millisecond)
	case n < 5:
		f.what, f.do = "dead", fails(driver.ErrBadConn)
	default:
		f.what, f.do = "error", fails(errBank)
	}
	return f
}

// script makes the steps do that, and nothing else.
func (b *bank) script(faults []bankFault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks, b.calls = map[string]hook{}, map[string]int{}
	for _, f := range faults {
		inner := b.hooks[f.step]
		b.hooks[f.step] = func(c *bankConn) error {
			b.mu.Lock()
			now := f.call == 0
			f.call--
			b.mu.Unlock()
			switch {
			case now:
				return f.do(c)
			case inner != nil:
				return inner(c)
			}
			return nil
		}
	}
}

// A task is one goroutine of a program.
type task struct {
	m    *model
	e    *overlay.Engine
	conn *overlay.Conn // nil until it is needed
}

func (t *task) run(f *failures, actions []action) {
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
					f.Errorf("a panic in %v: %v", a, v)
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
		for id, f := range told {
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
