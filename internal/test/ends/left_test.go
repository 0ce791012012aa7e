package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
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

// Rows that a function leaves open, and that are being read, are nobody else's.
func TestRunCallableLeavesSlowRows(t *testing.T) {
	e := onSQLite(t)
	e.SyncDB().SetMaxOpenConns(1)
	query, stop := context.WithCancel(bg)
	defer stop() // or its thread would go on
	err := e.RunCallable(limit(t), func(sc *sql.Conn) error {
		_, err := sc.QueryContext(query, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT i FROM n WHERE i < 2 OR i % 1000000000000 = 0")
		return err
	})
	noError(t, err)
	ctx, cancel := context.WithTimeout(bg, 5*time.Second)
	defer cancel()
	if _, err := e.SyncDB().ExecContext(ctx, "INSERT INTO t VALUES (7)"); err != nil {
		t.Errorf("the neighbour waits for rows that nobody can read: %v", err)
	}
}
