package eyes_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"sync"
	"testing"

	aiodriver "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// silent is a database whose driver does not tell whether a transaction is open; a BEGIN
// in a transaction commits that, as in MySQL.
type silent struct {
	mu   sync.Mutex
	kept []string
	log  []string
}

type silentConn struct {
	s       *silent
	inTx    bool
	pending []string
}

func (s *silent) Open(string) (driver.Conn, error)             { return &silentConn{s: s}, nil }
func (s *silent) Connect(context.Context) (driver.Conn, error) { return &silentConn{s: s}, nil }
func (s *silent) Driver() driver.Driver                        { return s }
func (c *silentConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (c *silentConn) Close() error                             { return nil }
func (c *silentConn) end(commit bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if commit {
		c.s.kept = append(c.s.kept, c.pending...)
	}
	c.pending, c.inTx = nil, false
}
func (c *silentConn) Begin() (driver.Tx, error) {
	c.end(true)
	c.inTx = true
	c.s.log = append(c.s.log, "BEGIN")
	return silentTx{c}, nil
}
func (c *silentConn) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	c.s.log = append(c.s.log, q)
	c.pending = append(c.pending, q)
	if !c.inTx {
		c.end(true)
	}
	return driver.RowsAffected(1), nil
}

type silentTx struct{ c *silentConn }

func (t silentTx) Commit() error { t.c.s.log = append(t.c.s.log, "COMMIT"); t.c.end(true); return nil }
func (t silentTx) Rollback() error {
	t.c.s.log = append(t.c.s.log, "ROLLBACK")
	t.c.end(false)
	return nil
}

// A SyncConn begins in the Conn's transaction, and the other way round.
func TestBeginInBeginSilent(t *testing.T) {
	s := new(silent)
	db := aiodriver.OpenDB(s)
	db.SetMaxOpenConns(1)
	e := overlay.New(db)
	defer e.Shutdown(bg)
	err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := c.ExecAsync(ctx, "one").Await(ctx)
		ok(t, "exec", err)
		_, err = c.SyncConn().BeginTx(ctx, nil)
		t.Log("SyncConn.BeginTx in WithTx:", err)
		return sql.ErrNoRows
	})
	t.Log("WithTx:", err, "; log", s.log, "kept", s.kept)
	if slices.Contains(s.kept, "one") {
		t.Error("refused, and KEPT")
	}
	s.log, s.kept = nil, nil
	err = e.WithConn(bg, func(ctx context.Context, c *overlay.Conn) error {
		tx, err := c.SyncConn().BeginTx(ctx, nil)
		ok(t, "begin", err)
		_, err = tx.Exec("two")
		ok(t, "exec", err)
		err = c.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error { return sql.ErrNoRows })
		t.Log("WithTx in SyncConn's transaction:", err)
		_, err = tx.Exec("three")
		t.Log("tx.Exec:", err)
		err = tx.Rollback()
		t.Log("tx.Rollback:", err)
		return nil
	})
	t.Log("WithConn:", err, "; log", s.log, "kept", s.kept)
	if len(s.kept) > 0 {
		t.Error("rolled back, and KEPT")
	}
}
