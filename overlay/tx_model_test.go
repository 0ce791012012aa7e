package overlay_test

import (
	"context"
	"database/sql"
	"maps"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"pgregory.net/rapid"

	"github.com/sqlaio/sqlaio/overlay"
)

// The model of transactions: the table is a map, and each level that is open
// remembers what it was when the level began. A second connection sees what was
// committed.

// 100,000 steps, which take a minute or two with the race detector.
const (
	txChecks = 1700
	txSteps  = 60
)

// TestTxModel proves that transactions and savepoints on SQLite leave behind what
// they should, in whatever order they are ended, and that InTransaction is right.
func TestTxModel(t *testing.T) {
	dir := t.TempDir()
	modelCheck(t, txChecks, func(rt *rapid.T, steps *atomic.Int64) {
		m := newTxMachine(rt, dir)
		defer m.abort()
		for range txSteps {
			m.step()
			steps.Add(1)
		}
		m.end()
	})
}

type txTable map[int64]int64

type txMachine struct {
	t       *rapid.T
	e       *overlay.Engine
	c       *overlay.Conn
	path    string
	results []*overlay.Result

	now, committed txTable
	levels         []*txHandle // the model's
	raw            bool        // one begun with BEGIN is open
	handles        []*txHandle
}

type txHandle struct {
	tx     *overlay.Tx
	before txTable // what the table was at its beginning
	open   bool
	closed bool // its connection was closed
}

const txDriver = "sqlite3_with_mark"

var txMarks = newMarks()

func init() {
	sql.Register(txDriver, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("mark", txMarks.mark, false)
	}})
}

func newTxMachine(t *rapid.T, dir string) *txMachine {
	f, err := os.CreateTemp(dir, "*.db")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	m := &txMachine{t: t, path: f.Name(), now: txTable{}, committed: txTable{}}
	m.e, err = overlay.Open(txDriver, filepath.ToSlash(m.path)+"?_journal=WAL&_sync=OFF&_busy_timeout=5000", overlay.WithLanes(1))
	if err != nil {
		t.Fatal(err)
	}
	m.connect()
	m.must(m.c.ExecAsync(background, "create table t (k integer primary key, v integer)"))
	return m
}

func (m *txMachine) connect() {
	c, err := m.e.ConnectAsync(background).Await(background)
	if err != nil {
		m.t.Fatal(err)
	}
	m.c = c
}

func (m *txMachine) must(f *overlay.Future[sql.Result]) {
	m.t.Helper()
	if _, err := f.Await(background); err != nil {
		m.t.Fatal(err)
	}
}

func (m *txMachine) inTx() bool { return m.raw || len(m.levels) > 0 }

// changed is told after a change of the table.
func (m *txMachine) changed() {
	if !m.inTx() {
		m.committed = maps.Clone(m.now)
	}
}

func (m *txMachine) step() {
	switch rapid.SampledFrom([]string{"begin", "nested", "nested", "end", "end", "end", "put", "put", "put", "delete",
		"look", "half", "half", "more", "closeResult", "cancelled", "cancelRead", "cancelWrite", "raw", "close"}).Draw(m.t, "action") {
	case "begin":
		m.begin()
	case "nested":
		m.nested()
	case "end":
		if len(m.handles) > 0 {
			m.endLevel()
		}
	case "put":
		k, v := m.draw("k"), m.draw("v")
		m.must(m.c.ExecAsync(background, "insert or replace into t values (?, ?)", k, v))
		m.now[k] = v
		m.changed()
	case "delete":
		k := m.draw("k")
		m.must(m.c.ExecAsync(background, "delete from t where k >= ?", k))
		maps.DeleteFunc(m.now, func(key, _ int64) bool { return key >= k })
		m.changed()
	case "look":
		m.compare("inside", m.c, m.now)
	case "half":
		m.half()
	case "more":
		if len(m.results) > 0 { // it may have been closed by the end of its transaction
			m.result().FetchManyAsync(background, rapid.IntRange(1, 300).Draw(m.t, "rows")).Await(background)
		}
	case "closeResult":
		if len(m.results) > 0 {
			m.result().CloseAsync(background).Await(background)
		}
	case "cancelled":
		ctx, cancel := context.WithCancel(background)
		cancel()
		if _, err := m.c.ExecAsync(ctx, "delete from t").Await(background); err != context.Canceled {
			m.t.Fatalf("a call with a context that has ended gave %v", err)
		}
	case "cancelRead":
		if rapid.Bool().Draw(m.t, "really") {
			m.cancelRead()
		}
	case "cancelWrite":
		if rapid.IntRange(0, 3).Draw(m.t, "really") == 0 {
			m.cancelWrite()
		}
	case "raw":
		m.rawStep()
	case "close":
		if rapid.IntRange(0, 3).Draw(m.t, "really") == 0 {
			m.closeConn()
		}
	}
	if got := m.c.InTransaction(); got != m.inTx() {
		m.t.Fatalf("InTransaction is %v", got)
	}
}

func (m *txMachine) draw(what string) int64 { return rapid.Int64Range(0, 9).Draw(m.t, what) }

func (m *txMachine) result() *overlay.Result {
	return m.results[rapid.IntRange(0, len(m.results)-1).Draw(m.t, "result")]
}

// compare compares what a connection sees with what it should.
func (m *txMachine) compare(where string, to interface {
	QueryAsync(context.Context, string, ...any) *overlay.Future[*overlay.Result]
}, want txTable) {
	m.t.Helper()
	r, err := to.QueryAsync(background, "select k, v from t").Await(background)
	if err != nil {
		m.t.Fatalf("%s: %v", where, err)
	}
	rows, err := r.FetchAllAsync(background).Await(background)
	if err != nil {
		m.t.Fatalf("%s: %v", where, err)
	}
	got := txTable{}
	for _, row := range rows {
		v := row.Values()
		got[v[0].(int64)] = v[1].(int64)
	}
	if !maps.Equal(got, want) {
		m.t.Fatalf("%s: the table is %v, want %v", where, got, want)
	}
}

// outside compares what others see.
func (m *txMachine) outside() {
	m.t.Helper()
	m.compare("outside", m.e, m.committed)
}

// half leaves a result half read.
func (m *txMachine) half() {
	const query = "with recursive g(i) as (select 1 union all select i + 1 from g where i < 300) select i, (select count(*) from t) from g"
	r, err := m.c.QueryAsync(background, query).Await(background)
	if err != nil {
		m.t.Fatal(err)
	}
	n := rapid.IntRange(0, 290).Draw(m.t, "rows")
	if rows, err := r.FetchManyAsync(background, n).Await(background); err != nil || len(rows) != n {
		m.t.Fatalf("%d rows, %v, want %d", len(rows), err, n)
	}
	if m.results = append(m.results, r); len(m.results) > 4 {
		m.results[0].CloseAsync(background)
		m.results = m.results[1:]
	}
}

func (m *txMachine) end() {
	m.closeConn()
	m.compare("at the end", m.c, m.committed)
}

func (m *txMachine) abort() {
	for _, r := range m.results {
		r.CloseAsync(background)
	}
	m.c.CloseAsync(background)
	m.e.Shutdown(background)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(m.path + suffix)
	}
}
