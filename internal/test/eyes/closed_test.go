package eyes_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"time"

	"github.com/mattn/go-sqlite3"

	aiodriver "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// SyncConn, and the blocking methods, of a Conn that was closed.
func TestSyncConnOfClosed(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn, overlay.WithLanes(1))
	e.SyncDB().SetMaxOpenConns(1)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	_, err = c.CloseAsync(bg).Await(bg)
	ok(t, "close", err)
	n, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "neighbour", err)
	tx, err := n.BeginAsync(bg, nil).Await(bg)
	ok(t, "begin", err)
	_, err = c.ExecContext(bg, "INSERT INTO t VALUES (1)")
	t.Log("ExecContext on the closed Conn:", err)
	_, err2 := c.SyncConn().ExecContext(bg, "INSERT INTO t VALUES (1)")
	t.Log("SyncConn().ExecContext on the closed Conn:", err2)
	tx.RollbackAsync(bg).Await(bg)
	got := rows(t, bare, "SELECT count(*) FROM t")
	t.Log("rows after the neighbour's rollback:", got)
	if err == nil && got == 0 {
		t.Error("LOST")
	}
	r, err := n.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
	ok(t, "insert", err)
	_, err = c.BeginTx(bg, nil)
	t.Log("BeginTx on the closed Conn:", err)
	_, err = n.ExecAsync(bg, "INSERT INTO t VALUES (3)").Await(bg)
	t.Log("neighbour's insert:", r != nil, err)
	n.CloseAsync(bg).Await(bg)
	got = rows(t, bare, "SELECT count(*) FROM t WHERE id = 3")
	t.Log("neighbour's row:", got)
	if err == nil && got == 0 {
		t.Error("LOST: the neighbour's")
	}
}

// fake is a driver whose arguments can be anything, and whose rows have no columns.
type fake struct {
	mu   sync.Mutex
	got  []string
	gate chan struct{}
}

type fakeConn struct{ f *fake }

func (f *fake) Open(string) (driver.Conn, error)             { return &fakeConn{f}, nil }
func (f *fake) Connect(context.Context) (driver.Conn, error) { return &fakeConn{f}, nil }
func (f *fake) Driver() driver.Driver                        { return f }
func (c *fakeConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (c *fakeConn) Close() error                             { return nil }
func (c *fakeConn) Begin() (driver.Tx, error)                { return fakeTx{}, nil }
func (c *fakeConn) CheckNamedValue(*driver.NamedValue) error { return nil }
func (c *fakeConn) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if q == "wait" {
		<-c.f.gate
		return driver.RowsAffected(0), nil
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	for _, a := range args {
		c.f.got = append(c.f.got, fmt.Sprint(a.Value))
	}
	return driver.RowsAffected(1), nil
}
func (c *fakeConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return &fakeRows{}, nil
}

type fakeTx struct{}

func (fakeTx) Commit() error   { return nil }
func (fakeTx) Rollback() error { return nil }

type fakeRows struct{ n int }

func (*fakeRows) Columns() []string { return []string{} }
func (*fakeRows) Close() error      { return nil }
func (r *fakeRows) Next([]driver.Value) error {
	if r.n++; r.n > 2 {
		return io.EOF
	}
	return nil
}

// Arguments that the caller changes after an async call has returned.
func TestArgumentsChanged(t *testing.T) {
	f := &fake{gate: make(chan struct{})}
	e := overlay.New(aiodriver.OpenDB(f), overlay.WithLanes(1))
	defer e.Shutdown(bg)
	block := e.ExecAsync(bg, "wait")
	ints, texts, m := []int64{1}, []string{"a"}, map[string]int{"a": 1}
	st := &struct{ A int }{1}
	nested := [][]byte{[]byte("a")}
	any1 := any(&ints)
	done := e.ExecAsync(bg, "x", ints, texts, m, st, nested, any1, sql.Named("n", ints))
	ints[0], texts[0], m["a"], st.A, nested[0][0] = 9, "z", 9, 9, 'z'
	close(f.gate)
	block.Await(bg)
	_, err := done.Await(bg)
	t.Log("driver got:", strings.Join(f.got, " | "), err)
}

// Rows without columns, as PostgreSQL's SELECT FROM t has them.
func TestNoColumns(t *testing.T) {
	e := overlay.New(aiodriver.OpenDB(&fake{}), overlay.WithLanes(1))
	defer e.Shutdown(bg)
	_, err := overlay.Scalar[int](bg, e, "SELECT FROM t").Await(bg)
	t.Logf("Scalar: %.200v", err)
	r, err := e.QueryAsync(bg, "SELECT FROM t").Await(bg)
	ok(t, "query", err)
	func() {
		defer func() {
			if v := recover(); v != nil {
				t.Error("Result.ScalarAsync panics:", v)
			}
		}()
		v, err := r.ScalarAsync(bg).Await(bg)
		t.Log("ScalarAsync:", v, err)
	}()
}

func TestPasswords(t *testing.T) {
	const pw = "hunter2"
	see := func(what, text string) {
		if strings.Contains(text, pw) {
			t.Errorf("%s: %s", what, text)
		}
	}
	for _, dsn := range []string{
		"mysql:u:hunter2@tcp(127.0.0.1:1)/db", "mysql:u:hunter2@tcp(127.0.0.1:1/db", "mysql:u:hunter2@bad(x)/db", "mysql:u:hunter2", "mysql:u:hunter2@tcp(h)/db?x=%zz",
		"mysql:u:hunter2@tcp(127.0.0.1:1)/db?parseTime=perhaps", "mysql:u:hunter2@tcp(127.0.0.1:1)/db?tls=nope",
		"mysql://u:hunter2@127.0.0.1:1/db", "mysqlx:u:hunter2@tcp(127.0.0.1:1)/db", ":u:hunter2@x", "u:hunter2@tcp(127.0.0.1:1)/db", "hunter2:u@x", "hunter2", "u hunter2:x", "aio:mysql:u:hunter2@x/",
		"sqlite3:file:/nonexistent/x.db?_auth&_auth_user=u&_auth_pass=hunter2", "sqlite3:file:x%zz?_auth_pass=hunter2&_busy_timeout=x", "sqlite3:/nonexistent/hunter2?_key=hunter2%zz",
	} {
		db, err := sql.Open("aio", dsn)
		if err == nil {
			err = db.Ping()
			see(dsn+" %v db", fmt.Sprintf("%v", db))
			see(dsn+" %+v db", fmt.Sprintf("%+v", db))
			see(dsn+" %+v driver", fmt.Sprintf("%+v", db.Driver()))
			db.Close()
		}
		see(dsn+" error", fmt.Sprint(err))
		name, rest, _ := strings.Cut(dsn, ":")
		e, err := overlay.Open(name, rest)
		see(dsn+" overlay.Open error", fmt.Sprint(err))
		if err == nil {
			f := e.ExecAsync(bg, "SELECT 1")
			_, err := f.Await(bg)
			see(dsn+" Await error", fmt.Sprint(err))
			for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
				see(dsn+" engine "+format, fmt.Sprintf(format, e))
				see(dsn+" future "+format, fmt.Sprintf(format, f))
			}
			e.Shutdown(bg)
		}
	}
	dsn, _ := file(t, "&_auth_pass=hunter2")
	db := aio(t, "sqlite3", dsn)
	conn, err := db.Driver().(driver.DriverContext).OpenConnector("sqlite3:" + dsn)
	ok(t, "connector", err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		see("connector "+format, fmt.Sprintf(format, conn))
		sc, err := db.Conn(bg)
		ok(t, "conn", err)
		sc.Raw(func(dc any) error { see("driver.Conn "+format, fmt.Sprintf(format, dc)); return nil })
		see("sql.Conn "+format, fmt.Sprintf(format, sc))
		sc.Close()
		e := engine(t, "sqlite3", dsn)
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		tx, err := c.BeginAsync(bg, nil).Await(bg)
		ok(t, "begin", err)
		see("Conn "+format, fmt.Sprintf(format, c))
		see("Conn value "+format, fmt.Sprintf(format, *tx))
		see("Tx "+format, fmt.Sprintf(format, tx))
		tx.CloseAsync(bg)
		c.CloseAsync(bg)
	}
}

func init() {
	aiodriver.Register("sqlite3narrow", &sqlite3.SQLiteDriver{}, aiodriver.WithThread(threadpin.WithQueue(1)))
}

// The thread's queue is full as a Conn's lane lets a SyncConn call pass.
func TestNarrowThread(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	db, err := sql.Open("sqlite3narrow", dsn)
	ok(t, "open", err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	e := overlay.New(db, overlay.WithDialect(overlay.SQLite))
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	tx, err := c.BeginAsync(bg, nil).Await(bg)
	ok(t, "begin", err)
	busy := overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { time.Sleep(100 * time.Millisecond); return 0, nil })
	done := make(chan error)
	go func() {
		time.Sleep(20 * time.Millisecond)
		_, err := c.SyncConn().ExecContext(bg, "INSERT INTO t VALUES (1)")
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	f := c.ExecAsync(bg, "INSERT INTO t VALUES (2)")
	busy.Await(bg)
	t.Log("SyncConn:", <-done)
	_, err = f.Await(bg)
	t.Log("ExecAsync:", err)
	_, err = tx.CommitAsync(bg).Await(bg)
	t.Log("Commit:", err)
	_, err = c.CloseAsync(bg).Await(bg)
	t.Log("Close:", err)
	_, err = db.Exec("INSERT INTO t VALUES (4)")
	t.Log("sql.DB's Exec:", err)
	got := rows(t, bare, "SELECT count(*) FROM t WHERE id = 4")
	t.Log("rows 4 for others:", got)
	_, err2 := e.ExecAsync(bg, "INSERT INTO t VALUES (3)").Await(bg)
	t.Log("neighbour's ExecAsync:", err2)
	got = rows(t, bare, "SELECT count(*) FROM t WHERE id = 4")
	t.Log("rows 4:", got)
	if err == nil && got == 0 {
		t.Error("LOST: the neighbour's")
	}
	e.Shutdown(bg)
}

// Two goroutines nest in one transaction, not at the same moment.
func TestOverlappingSavepoints(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		aIn, bIn, aOut := make(chan bool), make(chan bool), make(chan error)
		go func() {
			aOut <- c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
				close(aIn)
				<-bIn
				return err
			})
		}()
		<-aIn
		b := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (2)").Await(ctx)
			close(bIn)
			t.Log("a:", <-aOut)
			return err
		})
		t.Log("b:", b)
		return nil
	})
	t.Log("WithTx:", err, "; rows 1, 2:", rows(t, bare, "SELECT count(*) FROM t WHERE id = 1"), rows(t, bare, "SELECT count(*) FROM t WHERE id = 2"))
}
