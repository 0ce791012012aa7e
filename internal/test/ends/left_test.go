package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

func TestBatchCommitBeginThenErrorSQLite(t *testing.T) {
	e := lite(t)
	batch(t, e, e, []int{0, 1, 0}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT; BEGIN; INSERT INTO nowhere VALUES (1)")
}

func TestBatchCommitSavepointSQLite(t *testing.T) {
	e := lite(t)
	batch(t, e, e, []int{0, 1, 2}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT; SAVEPOINT s; INSERT INTO t VALUES (2)")
}

func TestBatchReleaseSavepointSQLite(t *testing.T) {
	e := lite(t)
	batch(t, e, e, []int{0, 1, 2}, "SAVEPOINT s", "INSERT INTO t VALUES (1)", "RELEASE s; SAVEPOINT s; INSERT INTO t VALUES (2)")
}

func TestBatchCommitThenErrorSQLite(t *testing.T) {
	e := lite(t)
	batch(t, e, e, []int{0, 1, 0}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT; INSERT INTO nowhere VALUES (1)")
}

// Rows that a function leaves open, and that are being read, are nobody else's.
func TestRunCallableLeavesSlowRows(t *testing.T) {
	e := lite(t)
	e.SyncDB().SetMaxOpenConns(1)
	query, stop := context.WithCancel(bg)
	defer stop() // or its thread would go on
	err := e.RunCallable(limit(t), func(sc *sql.Conn) error {
		_, err := sc.QueryContext(query, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n WHERE i < 2 OR i % 1000000000000 = 0")
		return err
	})
	t.Log(err)
	ctx, cancel := context.WithTimeout(bg, 5*time.Second)
	defer cancel()
	start := time.Now()
	_, err = e.SyncDB().ExecContext(ctx, "INSERT INTO t VALUES (7)")
	t.Log(err, time.Since(start))
	if err != nil {
		t.Errorf("the neighbour waits for rows that nobody can read: %v", err)
	}
	start = time.Now()
	ctx, cancel = context.WithTimeout(bg, 3*time.Second)
	defer cancel()
	t.Log("Shutdown: ", e.Shutdown(ctx), time.Since(start))
}

// lister is a driver like go-sqlite3 whose errors are a list: they cannot be compared.
type lister struct{ open atomic.Bool }

type errs []error

func (e errs) Error() string { return "several errors" }

func (l *lister) Open(string) (driver.Conn, error)             { return listerConn{l}, nil }
func (l *lister) Connect(context.Context) (driver.Conn, error) { return listerConn{l}, nil }
func (l *lister) Driver() driver.Driver                        { return l }

type listerConn struct{ l *lister }

func (listerConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not implemented") }
func (c listerConn) Begin() (driver.Tx, error)         { c.l.open.Store(true); return listerTx(c), nil }
func (listerConn) Close() error                        { return nil }
func (c listerConn) AutoCommit() bool                  { return !c.l.open.Load() }
func (c listerConn) ExecContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Result, error) {
	if q == "FAIL" {
		c.l.open.Store(false)
		return nil, errs{errors.New("a"), errors.New("b")}
	}
	return driver.RowsAffected(1), nil
}

type listerTx struct{ l *lister }

func (x listerTx) Commit() error   { x.l.open.Store(false); return nil }
func (x listerTx) Rollback() error { x.l.open.Store(false); return nil }

func TestErrorThatCannotBeCompared(t *testing.T) {
	db := aio.OpenDB(&lister{})
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %.200v", p)
		}
	}()
	_, err = tx.Exec("FAIL")
	t.Log(err)
}

// teller-less: nobody tells whether a transaction is open. COMMIT in the failing text was done.
type mute struct{ kept atomic.Int64 }

func (m *mute) Open(string) (driver.Conn, error)             { return &muteConn{m: m}, nil }
func (m *mute) Connect(context.Context) (driver.Conn, error) { return &muteConn{m: m}, nil }
func (m *mute) Driver() driver.Driver                        { return m }

type muteConn struct {
	m  *mute
	in bool
	n  int64
}

func (*muteConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not implemented") }
func (*muteConn) Begin() (driver.Tx, error)           { return nil, errors.New("not implemented") }
func (*muteConn) Close() error                        { return nil }
func (c *muteConn) ExecContext(_ context.Context, text string, _ []driver.NamedValue) (driver.Result, error) {
	for _, q := range strings.Split(text, ";") {
		switch strings.TrimSpace(q) {
		case "BEGIN":
			c.in = true
		case "INSERT":
			c.n++
			if !c.in {
				c.m.kept.Add(c.n)
				c.n = 0
			}
		case "COMMIT":
			c.m.kept.Add(c.n)
			c.in, c.n = false, 0
		case "ROLLBACK":
			c.in, c.n = false, 0
		case "BAD":
			return nil, errors.New("bad statement")
		}
	}
	return driver.RowsAffected(1), nil
}

func TestBatchCommitThenErrorMute(t *testing.T) {
	m := &mute{}
	db := aio.OpenDB(m)
	defer db.Close()
	e := overlay.New(db)
	defer e.Shutdown(limit(t))
	rs, err := e.BatchAsync(bg, []overlay.Statement{{Query: "BEGIN"}, {Query: "INSERT"}, {Query: "COMMIT; BAD"}}).Await(bg)
	t.Log(err, m.kept.Load())
	for _, r := range rs {
		t.Log(r.Err)
	}
	if m.kept.Load() == 1 && !unsure(rs[1].Err) && rs[1].Err != nil {
		t.Errorf("kept, though refused: %v", rs[1].Err)
	}
}
