package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/overlay"
)

// beginner is a driver that works on "CALL p()" until gate is closed. That begins a
// transaction: executed at its end, queried as its rows are closed.
type beginner struct {
	gate   chan struct{}
	inTx   atomic.Bool
	joined atomic.Bool // a statement ran in the transaction
}

func (b *beginner) Open(string) (driver.Conn, error)             { return beginnerConn{b}, nil }
func (b *beginner) Connect(context.Context) (driver.Conn, error) { return beginnerConn{b}, nil }
func (b *beginner) Driver() driver.Driver                        { return b }

type beginnerConn struct{ b *beginner }

func (beginnerConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not implemented") }
func (beginnerConn) Begin() (driver.Tx, error)           { return nil, errors.New("not implemented") }
func (beginnerConn) Close() error                        { return nil }

func (c beginnerConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	<-c.b.gate
	return beginnerRows(c), nil
}

func (c beginnerConn) ExecContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
	switch {
	case query == "ROLLBACK":
		c.b.inTx.Store(false)
	case query == "CALL p()":
		<-c.b.gate
		c.b.inTx.Store(true)
	case c.b.inTx.Load():
		c.b.joined.Store(true)
	}
	return driver.RowsAffected(1), nil
}

type beginnerRows struct{ b *beginner }

func (beginnerRows) Columns() []string         { return []string{"x"} }
func (beginnerRows) Next([]driver.Value) error { return io.EOF }
func (r beginnerRows) Close() error            { r.b.inTx.Store(true); return nil }

type beginnerAdapter struct{ b *beginner }

func (beginnerAdapter) Interrupter(c driver.Conn, _ driver.Connector) aio.Interrupter {
	return beginnerAdapter{c.(beginnerConn).b}
}
func (beginnerAdapter) Interrupt(context.Context)  {}
func (beginnerAdapter) Interrupted(err error) bool { return false }
func (a beginnerAdapter) TxStatus(error) pinned.TxStatus {
	if a.b.inTx.Load() {
		return pinned.TxOpen
	}
	return pinned.TxNone
}

func init() { aio.RegisterAdapter(&beginner{}, beginnerAdapter{}) }

// What a call that was left begins is rolled back before the next user of its connection
// comes, whoever has made the call.
func TestNobodyJoinsWhatACallThatWasLeftBegins(t *testing.T) {
	query := func(ctx context.Context, on interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}) error {
		_, err := on.QueryContext(ctx, "CALL p()")
		return err
	}
	for name, leave := range map[string]func(ctx context.Context, e *overlay.Engine) error{
		"sql.DB, query": func(ctx context.Context, e *overlay.Engine) error { return query(ctx, e.SyncDB()) },
		"RunCallable, query": func(ctx context.Context, e *overlay.Engine) error {
			return e.RunCallable(bg, func(sc *sql.Conn) error { return query(ctx, sc) })
		},
		"RunCallable, exec": func(ctx context.Context, e *overlay.Engine) error {
			return e.RunCallable(bg, func(sc *sql.Conn) error { _, err := sc.ExecContext(ctx, "CALL p()"); return err })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &beginner{gate: make(chan struct{})}
			db := aio.OpenDB(b)
			defer db.Close()
			db.SetMaxOpenConns(1)
			e := overlay.New(db)
			defer e.Shutdown(limit(t))
			ctx, cancel := context.WithTimeout(bg, time.Millisecond)
			defer cancel()
			if err := leave(ctx, e); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("%v, want the context's error", err)
			}
			time.AfterFunc(20*time.Millisecond, func() { close(b.gate) })
			_, err := db.Exec("INSERT INTO t VALUES (1)")
			noError(t, err)
			if b.joined.Load() {
				t.Error("the next user's statement ran in the transaction")
			}
		})
	}
}

const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 2 OR i % 1000000000000 = 0"

// Rows that RunCallable's function leaves open, and that are being read, end. A transaction
// that is open beside them is rolled back, and the call says so.
func TestRunCallableLeavesSlowRows(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *database{
		"file":   onSQLite,
		"memory": func(t *testing.T) *database { return opened(t, "sqlite3", ":memory:", nil) },
	} {
		for _, begin := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, with a transaction: %v", name, begin), func(t *testing.T) {
				d := open(t)
				d.SyncDB().SetMaxOpenConns(1)
				err := d.RunCallable(bg, func(sc *sql.Conn) (err error) {
					if begin {
						if _, err = sc.ExecContext(bg, "BEGIN; "+insert1); err != nil {
							return err
						}
					}
					if _, err = sc.QueryContext(bg, endless); err != nil {
						return err
					}
					ctx, cancel := context.WithTimeout(bg, 20*time.Millisecond)
					defer cancel()
					sc.QueryContext(ctx, "SELECT 1") // withdrawn behind the other
					return nil
				})
				if errors.Is(err, overlay.ErrTxLeftOpen) != begin {
					t.Errorf("RunCallable: %v", err)
				}
				_, err = d.SyncDB().ExecContext(limit(t), insert2)
				noError(t, err)
				var n int
				noError(t, d.SyncDB().QueryRow("SELECT sum(k) FROM t").Scan(&n))
				if n != 2 {
					t.Errorf("the rows' sum is %d, want 2", n)
				}
			})
		}
	}
}
