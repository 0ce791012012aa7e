package eyes2_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	aiodriver "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// fake is a driver that says nothing of its transactions. Connections opened before dead do
// not work any longer.
type fake struct {
	mu   sync.Mutex
	log  []string
	dead time.Time
	err  map[string]error
}

type fakeConn struct {
	f    *fake
	born time.Time
}

func (f *fake) Open(string) (driver.Conn, error)             { return &fakeConn{f, time.Now()}, nil }
func (f *fake) Connect(context.Context) (driver.Conn, error) { return f.Open("") }
func (f *fake) Driver() driver.Driver                        { return f }
func (c *fakeConn) Prepare(string) (driver.Stmt, error)      { return nil, driver.ErrSkip }
func (c *fakeConn) Close() error                             { return nil }
func (c *fakeConn) note(q string) error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.born.Before(c.f.dead) {
		return driver.ErrBadConn
	}
	c.f.log = append(c.f.log, q)
	return c.f.err[q]
}
func (c *fakeConn) Begin() (driver.Tx, error) { return fakeTx{c}, c.note("BEGIN") }
func (c *fakeConn) ExecContext(_ context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.note(q); err != nil {
		return nil, err
	}
	return driver.RowsAffected(1), nil
}
func (c *fakeConn) QueryContext(_ context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.note(q); err != nil {
		return nil, err
	}
	return &fakeRows{}, nil
}

type fakeTx struct{ c *fakeConn }

func (t fakeTx) Commit() error   { return t.c.note("COMMIT") }
func (t fakeTx) Rollback() error { return t.c.note("ROLLBACK") }

type fakeRows struct{ n int }

func (*fakeRows) Columns() []string { return []string{"a"} }
func (*fakeRows) Close() error      { return nil }
func (r *fakeRows) Next(dest []driver.Value) error {
	if r.n++; r.n > 2 {
		return io.EOF
	}
	dest[0] = int64(r.n)
	return nil
}

// Blocks of Oracle and SQL Server, whose drivers do not report transactions.
func TestBlocksInTx(t *testing.T) {
	for _, text := range []string{
		"BEGIN my_proc(:1); END;",
		"BEGIN TRY EXEC p END TRY BEGIN CATCH THROW END CATCH",
		"IF 1 = 1 BEGIN INSERT INTO t VALUES (1); END",
	} {
		f := &fake{err: map[string]error{}}
		e := overlay.New(aiodriver.OpenDB(f), overlay.WithLanes(1))
		err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, text).Await(ctx)
			t.Logf("%s: %v", text, err)
			_, err = c.ExecAsync(ctx, "INSERT INTO t VALUES (9)").Await(ctx)
			return err
		})
		t.Logf("  WithTx: %v; %q", err, f.log)
		if err != nil {
			t.Errorf("%s: refused", text)
		}
		f.log = nil
		f.err["ROLLBACK"] = io.ErrClosedPipe // no transaction is open
		_, err = e.ExecAsync(bg, text).Await(bg)
		t.Logf("  Engine: %v; %q", err, f.log)
		if err != nil || len(f.log) > 1 {
			t.Errorf("%s: a block was taken for a transaction", text)
		}
		e.Shutdown(bg)
	}
}

// A pool of connections that have died: sql.DB takes a new one in the end.
func TestExecContextOnADeadPool(t *testing.T) {
	f := &fake{}
	db := aiodriver.OpenDB(f)
	db.SetMaxIdleConns(10)
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(bg)
	for name, exec := range map[string]func(context.Context, string, ...any) (sql.Result, error){"sql.DB": db.ExecContext, "Engine": e.ExecContext} {
		var conns []*sql.Conn
		for range 6 {
			c, err := db.Conn(bg)
			ok(t, "conn", err)
			conns = append(conns, c)
		}
		for _, c := range conns {
			c.Close()
		}
		time.Sleep(time.Millisecond)
		f.mu.Lock()
		f.dead = time.Now()
		f.mu.Unlock()
		_, err := exec(bg, "INSERT")
		t.Logf("%s.ExecContext: %v", name, err)
		if err != nil {
			t.Errorf("%s: bad connection, though a new one would do", name)
		}
	}
}

// Calls on a Conn that is lost, with a context that goes on.
func TestLeakOnALostConn(t *testing.T) {
	f := &fake{}
	e := overlay.New(aiodriver.OpenDB(f), overlay.WithLanes(1))
	defer e.Shutdown(bg)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	f.mu.Lock()
	f.dead = time.Now()
	f.mu.Unlock()
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	_, err = c.ExecAsync(ctx, "INSERT").Await(bg)
	t.Logf("the first: %v", err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 20000
	for range n {
		c.ExecAsync(ctx, "INSERT").Await(bg)
	}
	time.Sleep(200 * time.Millisecond)
	runtime.GC()
	runtime.ReadMemStats(&after)
	per := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / n
	t.Logf("%d bytes a call stay", per)
	if per > 50 {
		t.Error("LEAK")
	}
	c.CloseAsync(bg).Await(bg)
}

var _ = strings.Contains
