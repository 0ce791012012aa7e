package driver_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/pinned"
)

// beginner is a driver whose queries take until gate is closed. To close their rows is to
// begin a transaction, as if the rest of a text did it.
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
	if query == "ROLLBACK" {
		c.b.inTx.Store(false)
	} else if c.b.inTx.Load() {
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

// What a query that was left begins while its rows are closed is rolled back before the
// next user of the connection comes.
func TestNobodyJoinsWhatTheRowsOfALeftQueryBegin(t *testing.T) {
	b := &beginner{gate: make(chan struct{})}
	db := aio.OpenDB(b)
	defer db.Close()
	db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := db.QueryContext(ctx, "CALL p()"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v, want the context's error", err)
	}
	time.AfterFunc(20*time.Millisecond, func() { close(b.gate) })
	if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if b.joined.Load() {
		t.Error("the next user's statement ran in the transaction")
	}
}
