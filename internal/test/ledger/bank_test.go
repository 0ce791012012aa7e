package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
)

// A bank is a database in memory that fails on demand. It has one table of ids,
// transactions and savepoints. What a transaction has not committed only its own
// connection knows, and takes along when it is closed.
//
// Hooks are called at these steps; an error from one is the step's:
//
//	connect  begin  exec  query  prepare  savepoint  release  commit  rollback   before it
//	executed  committed                                                          after it
//	next                                                                         before each row
type bank struct {
	name string

	mu    sync.Mutex
	table map[int64]int          // guarded by mu: what is committed
	done  map[int64]int          // guarded by mu: how often an insert was carried out
	hooks map[string]hook        // guarded by mu
	conns map[*bankConn]struct{} // guarded by mu: open ones
	calls map[string]int         // guarded by mu: how often a step was asked for
}

type hook func(c *bankConn) error

var banks sync.Map // of *bank, by name

// bankDriver has an adapter whose Interrupt does nothing, as if the server could not be
// reached. plainDriver has no adapter.
type (
	bankDriver  struct{}
	plainDriver struct{}
)

func init() {
	aio.RegisterAdapter(bankDriver{}, muteAdapter{})
	sql.Register("ledgerbank", bankDriver{})
	sql.Register("ledgerplain", plainDriver{})
}

func (bankDriver) Open(dsn string) (driver.Conn, error)  { return openBank(dsn) }
func (plainDriver) Open(dsn string) (driver.Conn, error) { return openBank(dsn) }

type muteAdapter struct{}

func (muteAdapter) Interrupter(driver.Conn, driver.Connector) aio.Interrupter { return mute{} }

type mute struct{}

func (mute) Interrupt(context.Context) {}
func (mute) Interrupted(error) bool    { return false }

// onBank runs a test on the scripted driver, with and without an adapter.
func onBank(t *testing.T, fn func(t *testing.T, db *database)) {
	t.Helper()
	t.Run("adapter", func(t *testing.T) { fn(t, newBank("ledgerbank")) })
	t.Run("plain", func(t *testing.T) { fn(t, newBank("ledgerplain")) })
}

var bankCount atomic.Int64

func newBank(driverName string) *database {
	b := &bank{
		name: fmt.Sprint("bank", bankCount.Add(1)), table: map[int64]int{}, done: map[int64]int{},
		hooks: map[string]hook{}, conns: map[*bankConn]struct{}{}, calls: map[string]int{},
	}
	banks.Store(b.name, b)
	return &database{name: driverName, driver: driverName, dsn: b.name, bank: b, l: newLedger()}
}

func (b *bank) on(step string, h hook) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hooks[step] = h
}

// once makes the next call of a step do h.
func (b *bank) once(step string, h hook) { b.times(step, 1, h) }

func (b *bank) times(step string, n int, h hook) {
	b.on(step, func(c *bankConn) error {
		b.mu.Lock()
		n--
		left := n >= 0
		b.mu.Unlock()
		if !left {
			return nil
		}
		return h(c)
	})
}

func fails(err error) hook { return func(*bankConn) error { return err } }

func (b *bank) rows() map[int64]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	have := make(map[int64]int)
	for id, n := range b.table {
		have[id] = n
	}
	return have
}

// carriedOut returns how often an insert was made, committed or not.
func (b *bank) carriedOut(id int64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.done[id]
}

func (b *bank) openTxs() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns {
		if c.open {
			n++
		}
	}
	return n
}

func openBank(name string) (driver.Conn, error) {
	v, ok := banks.Load(name)
	if !ok {
		return nil, fmt.Errorf("no bank %q", name)
	}
	c := &bankConn{b: v.(*bank)}
	if err := c.step("connect"); err != nil {
		return nil, err
	}
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.conns[c] = struct{}{}
	return c, nil
}

// bankConn is a connection. Its fields are guarded by the bank's mutex.
type bankConn struct {
	b      *bank
	open   bool    // a transaction is
	ids    []int64 // that it has inserted
	points []savepoint
}

type savepoint struct {
	name string
	at   int // how many ids there were
}

func (c *bankConn) step(name string) error {
	c.b.mu.Lock()
	h := c.b.hooks[name]
	c.b.calls[name]++
	c.b.mu.Unlock()
	if h == nil {
		return nil
	}
	return h(c)
}

func (c *bankConn) Close() error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	delete(c.b.conns, c)
	c.open, c.ids = false, nil
	return nil
}

func (c *bankConn) ResetSession(context.Context) error { return nil }
func (c *bankConn) IsValid() bool                      { return true }
func (c *bankConn) Ping(context.Context) error         { return nil }

func (c *bankConn) Begin() (driver.Tx, error) { return c.BeginTx(background, driver.TxOptions{}) }

func (c *bankConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) {
	if err := c.run("BEGIN", nil); err != nil {
		return nil, err
	}
	return bankTx{c}, nil
}

type bankTx struct{ c *bankConn }

func (t bankTx) Commit() error   { return t.c.run("COMMIT", nil) }
func (t bankTx) Rollback() error { return t.c.run("ROLLBACK", nil) }

func (c *bankConn) Prepare(query string) (driver.Stmt, error) {
	if err := c.step("prepare"); err != nil {
		return nil, err
	}
	return bankStmt{c, query}, nil
}

type bankStmt struct {
	c     *bankConn
	query string
}

func (s bankStmt) Close() error  { return nil }
func (s bankStmt) NumInput() int { return strings.Count(s.query, "?") }
func (s bankStmt) Exec(args []driver.Value) (driver.Result, error) {
	return driver.RowsAffected(1), s.c.run(s.query, args)
}
func (s bankStmt) Query(args []driver.Value) (driver.Rows, error) { return s.c.query(s.query, args) }

func (c *bankConn) ExecContext(_ context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.run(query, values(args)); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}

func (c *bankConn) QueryContext(_ context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(query, values(args))
}

func values(args []driver.NamedValue) (vs []driver.Value) {
	for _, a := range args {
		vs = append(vs, a.Value)
	}
	return vs
}

// run carries a statement out.
func (c *bankConn) run(query string, args []driver.Value) error {
	words := strings.Fields(strings.ToUpper(query))
	before, after := "exec", "executed"
	switch words[0] {
	case "BEGIN", "SAVEPOINT", "RELEASE":
		before, after = strings.ToLower(words[0]), ""
	case "ROLLBACK":
		before, after = "rollback", ""
	case "COMMIT":
		before, after = "commit", "committed"
	}
	if err := c.step(before); err != nil {
		return err
	}
	if err := c.carryOut(words, args); err != nil || after == "" {
		return err
	}
	return c.step(after)
}

func (c *bankConn) carryOut(words []string, args []driver.Value) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	last := words[len(words)-1]
	switch {
	case words[0] == "INSERT":
		id := args[0].(int64)
		c.b.done[id]++
		c.ids = append(c.ids, id)
		if !c.open {
			c.commit()
		}
	case words[0] == "BEGIN" && c.open:
		return errors.New("bank: a transaction is open already")
	case words[0] == "BEGIN":
		c.open = true
	case (words[0] == "COMMIT" || words[0] == "ROLLBACK") && !c.open:
		return errors.New("bank: no transaction is open")
	case words[0] == "COMMIT":
		c.commit()
	case words[0] == "SAVEPOINT":
		c.points = append(c.points, savepoint{last, len(c.ids)})
	case words[0] == "RELEASE" || len(words) > 1 && words[1] == "TO":
		at := len(c.points) - 1
		for at >= 0 && c.points[at].name != last {
			at--
		}
		if at < 0 {
			return errors.New("bank: no such savepoint")
		}
		if words[0] == "ROLLBACK" {
			c.ids, c.points = c.ids[:c.points[at].at], c.points[:at+1]
		} else {
			c.points = c.points[:at]
		}
	case words[0] == "ROLLBACK":
		c.open, c.ids, c.points = false, nil, nil
	default:
		return fmt.Errorf("bank: syntax error at %q", words[0])
	}
	return nil
}

// commit is called with the bank's mutex held.
func (c *bankConn) commit() {
	for _, id := range c.ids {
		c.b.table[id]++
	}
	c.open, c.ids, c.points = false, nil, nil
}

// query carries a statement out and returns three rows.
func (c *bankConn) query(query string, args []driver.Value) (driver.Rows, error) {
	if err := c.step("query"); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(strings.ToUpper(query), "SELECT") {
		if err := c.run(query, args); err != nil {
			return nil, err
		}
	}
	return &bankRows{c: c, left: 3}, nil
}

type bankRows struct {
	c    *bankConn
	left int
}

func (r *bankRows) Columns() []string { return []string{"id"} }
func (r *bankRows) Close() error      { return nil }

func (r *bankRows) Next(dest []driver.Value) error {
	if err := r.c.step("next"); err != nil {
		return err
	}
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	dest[0] = int64(r.left)
	return nil
}
