package ends

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

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

// It is returned as it is.
func TestErrorThatCannotBeCompared(t *testing.T) {
	db := aio.OpenDB(&lister{})
	defer db.Close()
	tx, err := db.Begin()
	noError(t, err)
	defer tx.Rollback()
	if _, err := tx.Exec("FAIL"); !errors.As(err, new(errs)) {
		t.Errorf("%v, want the driver's error", err)
	}
}

// mute is a driver that does not tell whether a transaction is open.
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

// The COMMIT of a text that fails after it was done.
func TestBatchWhoseTextCommitsAndFails(t *testing.T) {
	m := &mute{}
	db := aio.OpenDB(m)
	defer db.Close()
	e := overlay.New(db)
	defer e.Shutdown(limit(t))
	rs, err := e.BatchAsync(bg, []overlay.Statement{{Query: "BEGIN"}, {Query: "INSERT"}, {Query: "COMMIT; BAD"}}).Await(bg)
	t.Log(err)
	if m.kept.Load() != 1 || rs[1].Err != nil && !unsure(rs[1].Err) {
		t.Errorf("%d rows kept, and the error is %v", m.kept.Load(), rs[1].Err)
	}
}
