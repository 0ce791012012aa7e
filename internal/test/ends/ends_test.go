// Package ends tests what a caller is told about a transaction that may have ended before
// its own end: by the text of a statement, by the database, or by a call that was left.
package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/pinned"
	"github.com/sqlaio/sqlaio/overlay"
)

var bg = context.Background()

func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func unsure(err error) bool {
	return errors.Is(err, overlay.ErrOutcomeUnknown) || errors.Is(err, overlay.ErrTxEnded)
}

func lite(t *testing.T) *overlay.Engine {
	dsn := filepath.Join(t.TempDir(), "a.db") + "?_journal=WAL&_busy_timeout=1000"
	e, err := overlay.Open("sqlite3", dsn)
	if err != nil {
		t.Fatal(err)
	}
	bare(t, e, "sqlite3", dsn)
	t.Cleanup(func() { e.Shutdown(limit(t)) })
	do(t, e, "CREATE TABLE t (k INTEGER PRIMARY KEY)")
	return e
}

var dbs atomic.Int64

func maria(t *testing.T) *overlay.Engine {
	dsn := os.Getenv("SQLAIO_MARIADB")
	if dsn == "" {
		t.Skip("no MariaDB")
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	admin, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DBName = fmt.Sprintf("ends_%d_%d", os.Getpid(), dbs.Add(1))
	if _, err := admin.Exec("CREATE DATABASE " + cfg.DBName); err != nil {
		t.Fatal(err)
	}
	cfg.MultiStatements = true
	e, err := overlay.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Shutdown(limit(t))
		admin.Exec("DROP DATABASE " + cfg.DBName)
		admin.Close()
	})
	bare(t, e, "mysql", cfg.FormatDSN())
	do(t, e, "CREATE TABLE t (k INTEGER PRIMARY KEY)")
	do(t, e, "CREATE TABLE u (k INTEGER PRIMARY KEY)")
	return e
}

func do(t *testing.T, to overlay.Target, q string) {
	t.Helper()
	if _, err := exec(to, q); err != nil {
		t.Fatal(q, ": ", err)
	}
}

func exec(to overlay.Target, q string) (sql.Result, error) {
	switch to := to.(type) {
	case *overlay.Engine:
		return to.ExecAsync(bg, q).Await(bg)
	case *overlay.Conn:
		return to.ExecAsync(bg, q).Await(bg)
	}
	panic("?")
}

// plain are the bare drivers' databases.
var plain = map[*overlay.Engine]*sql.DB{}

// has asks the bare driver whether a row is there.
func has(t *testing.T, e *overlay.Engine, k int) (is bool) {
	t.Helper()
	if err := plain[e].QueryRow(fmt.Sprintf("SELECT count(*) > 0 FROM t WHERE k = %d", k)).Scan(&is); err != nil {
		t.Fatal(err)
	}
	return is
}

func bare(t *testing.T, e *overlay.Engine, driver, dsn string) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	plain[e] = db
}

// batch runs statements; keys[i] is the row that statement i has inserted (0: none).
func batch(t *testing.T, e *overlay.Engine, to interface {
	BatchAsync(context.Context, []overlay.Statement, ...overlay.BatchOption) *overlay.Future[[]overlay.BatchResult]
}, keys []int, qs ...string) {
	t.Helper()
	ss := make([]overlay.Statement, len(qs))
	for i, q := range qs {
		ss[i].Query = q
	}
	rs, err := to.BatchAsync(limit(t), ss).Await(bg)
	t.Logf("batch: %v", err)
	if c, ok := to.(*overlay.Conn); ok {
		c.CloseAsync(bg).Await(bg)
	}
	for i, r := range rs {
		t.Logf("  %s: %v", qs[i], r.Err)
		if keys[i] == 0 {
			continue
		}
		is := has(t, e, keys[i])
		switch {
		case is && r.Err != nil && !unsure(r.Err):
			t.Errorf("%s: kept, though refused: %v", qs[i], r.Err)
		case !is && r.Err == nil:
			t.Errorf("%s: lost, though acknowledged", qs[i])
		}
	}
}

func conn(t *testing.T, e *overlay.Engine) *overlay.Conn {
	c, err := e.ConnectAsync(bg).Await(bg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// RELEASE of the outermost savepoint commits in SQLite.
func TestBatchReleaseThenError(t *testing.T) {
	e := lite(t)
	batch(t, e, e, []int{0, 1, 0}, "SAVEPOINT s", "INSERT INTO t VALUES (1)", "RELEASE s; INSERT INTO nowhere VALUES (1)")
}

func TestConnReleaseThenErrorSays(t *testing.T) {
	e := lite(t)
	c := conn(t, e)
	defer c.CloseAsync(bg)
	do(t, c, "SAVEPOINT s")
	do(t, c, "INSERT INTO t VALUES (1)")
	_, err := exec(c, "RELEASE s; INSERT INTO nowhere VALUES (1)")
	t.Log(err)
	_, err = exec(c, "INSERT INTO t VALUES (2)")
	t.Log(err)
	if err != nil && has(t, e, 1) && !unsure(err) {
		t.Errorf("row 1 is kept, and the next statement is told: %v", err)
	}
}

// In a text transaction DDL that fails with 42S01 has committed what came before.
func TestBatchDDLExists(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 0}, "BEGIN", "INSERT INTO t VALUES (1)", "CREATE TABLE u (k INTEGER)")
}

func TestBatchDDLDropUnknown(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 0}, "BEGIN", "INSERT INTO t VALUES (1)", "DROP TABLE nowhere")
}

func TestBatchCommitThenErrorMaria(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 0}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT; INSERT INTO nowhere VALUES (1)")
}

func TestBatchCommitThenErrorMariaKeepGoing(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 0, 3}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT; INSERT INTO nowhere VALUES (1)", "INSERT INTO t VALUES (3)")
}

// What follows COMMIT AND CHAIN in the same text is in the new transaction.
func TestBatchCommitAndChainText(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 2}, "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT AND CHAIN; INSERT INTO t VALUES (2)")
}

func TestBatchCommitAutocommitOff(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 2}, "SET autocommit = 0", "INSERT INTO t VALUES (1)", "COMMIT; INSERT INTO t VALUES (2)")
}

func TestBatchBeginAfterInsertText(t *testing.T) {
	e := maria(t)
	batch(t, e, e, []int{0, 1, 0, 3, 0}, "SET autocommit = 0", "INSERT INTO t VALUES (1)", "CREATE TABLE v (k INTEGER); SELECT k FROM t", "INSERT INTO t VALUES (3)", "INSERT INTO nowhere VALUES (1)")
}

// lockedDDL has somebody hold the metadata lock of u.
func lockedU(t *testing.T, e *overlay.Engine) {
	c := conn(t, e)
	do(t, c, "BEGIN")
	if _, err := c.QueryAsync(bg, "SELECT * FROM u").Await(bg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseAsync(bg).Await(bg) })
}

func withTx(t *testing.T, last string, query bool) {
	e := maria(t)
	lockedU(t, e)
	err := e.WithTx(limit(t), nil, func(ctx context.Context, c *overlay.Conn) error {
		do(t, c, "SET lock_wait_timeout = 1")
		do(t, c, "INSERT INTO t VALUES (1)")
		var err error
		if query {
			_, err = c.QueryAsync(bg, last).Await(bg)
		} else {
			_, err = exec(c, last)
		}
		t.Log(err)
		return err
	})
	t.Log(err)
	if has(t, e, 1) && !unsure(err) {
		t.Errorf("row 1 kept, WithTx: %v", err)
	}
}

func TestWithTxDDLTimesOut(t *testing.T) { withTx(t, "ALTER TABLE u ADD a INTEGER", false) }
func TestWithTxInsertDDLTimesOut(t *testing.T) {
	withTx(t, "INSERT INTO t VALUES (2); ALTER TABLE u ADD a INTEGER", false)
}
func TestWithTxSelectDDLTimesOut(t *testing.T) {
	withTx(t, "SELECT 1; ALTER TABLE u ADD a INTEGER", true)
}
func TestWithTxImmediateDDLTimesOut(t *testing.T) {
	withTx(t, "EXECUTE IMMEDIATE 'ALTER TABLE u ADD a INTEGER'", false)
}
func TestWithTxLockTimesOut(t *testing.T) { withTx(t, "LOCK TABLES u WRITE", false) }
func TestWithTxCommentDDL(t *testing.T)   { withTx(t, "/*M! ALTER TABLE u ADD a INTEGER */", false) }

func withTxCancelled(t *testing.T, last string, query bool) {
	e := maria(t)
	lockedU(t, e)
	err := e.WithTx(limit(t), nil, func(ctx context.Context, c *overlay.Conn) error {
		do(t, c, "INSERT INTO t VALUES (1)")
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		var err error
		if query {
			_, err = c.QueryAsync(ctx, last).Await(ctx)
		} else {
			_, err = c.ExecAsync(ctx, last).Await(ctx)
		}
		t.Log(err)
		return err
	})
	t.Log(err)
	if has(t, e, 1) && !unsure(err) {
		t.Errorf("row 1 kept, WithTx: %v", err)
	}
}
func TestWithTxDDLCallCancelled(t *testing.T) {
	withTxCancelled(t, "ALTER TABLE u ADD a INTEGER", false)
}
func TestWithTxInsertDDLCallCancelled(t *testing.T) {
	withTxCancelled(t, "INSERT INTO t VALUES (2); ALTER TABLE u ADD a INTEGER", false)
}
func TestWithTxSelectDDLCallCancelled(t *testing.T) {
	withTxCancelled(t, "SELECT 1; ALTER TABLE u ADD a INTEGER", true)
}

// The known open one.
func TestWithTxOwnContextCancelsDDL(t *testing.T) {
	e := maria(t)
	lockedU(t, e)
	ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
	defer cancel()
	err := e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		do(t, c, "INSERT INTO t VALUES (1)")
		_, err := c.ExecAsync(ctx, "ALTER TABLE u ADD a INTEGER").Await(ctx)
		t.Log(err)
		return err
	})
	t.Log(err)
	if has(t, e, 1) && !unsure(err) {
		t.Errorf("row 1 kept, WithTx: %v", err)
	}
}

// beginner is a driver whose queries take until gate is closed and begin a transaction.
type beginner struct {
	gate   chan struct{}
	inTx   atomic.Bool
	joined atomic.Bool
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

func neighbour(t *testing.T, fn func(ctx context.Context, sc *sql.Conn) error) {
	b := &beginner{gate: make(chan struct{})}
	db := aio.OpenDB(b)
	defer db.Close()
	db.SetMaxOpenConns(1)
	e := overlay.New(db)
	defer e.Shutdown(limit(t))
	start := time.Now()
	err := e.RunCallable(bg, func(sc *sql.Conn) error {
		ctx, cancel := context.WithTimeout(bg, time.Millisecond)
		defer cancel()
		return fn(ctx, sc)
	})
	t.Log(err, time.Since(start))
	time.AfterFunc(100*time.Millisecond, func() { close(b.gate) })
	if _, err := db.Exec("INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if b.joined.Load() {
		t.Error("the neighbour's acknowledged statement ran in the transaction of the call that was left, and is rolled back with it")
	}
}

func TestNeighbourOfRunCallableQuery(t *testing.T) {
	neighbour(t, func(ctx context.Context, sc *sql.Conn) error { _, err := sc.QueryContext(ctx, "CALL p()"); return err })
}

func TestNeighbourOfRunCallableExec(t *testing.T) {
	neighbour(t, func(ctx context.Context, sc *sql.Conn) error { _, err := sc.ExecContext(ctx, "CALL p()"); return err })
}
