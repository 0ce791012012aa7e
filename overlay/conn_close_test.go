package overlay_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// A connection closed while its queue is full is put in order before it goes back to the pool.
func TestConnCloseWithAFullQueue(t *testing.T) {
	e, _ := onFile(t, overlay.WithQueue(1))
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	must(t, c.ExecAsync(background, "insert into t values (1)"))
	release := occupy(t, c)
	last := c.ExecAsync(background, "insert into t values (2)")
	if _, err := c.ExecAsync(background, "insert into t values (3)").Await(background); err != overlay.ErrQueueFull {
		t.Fatalf("the queue is not full: %v", err)
	}
	closed := c.CloseAsync(background)
	release()
	must(t, closed)
	must(t, last)
	if n := must(t, overlay.Scalar[int](background, e, "select count(*) from t")); n != 0 {
		t.Fatalf("%d rows are left of a transaction that was not committed", n)
	}
	must(t, e.ExecAsync(background, "insert into t values (4)"))
}

// The calls of a connection that was closed fail, and so do those of its branches.
func TestEveryCallOfAClosedConnFails(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		open := c.Branch()
		closed := c.Branch()
		must(t, closed.CloseAsync(db.ctx))
		if c.Closed() || open.Closed() || !closed.Closed() {
			t.Error("closing a branch closes that branch alone")
		}
		everyCallFails(t, db, closed)
		must(t, open.ScalarAsync(db.ctx, "SELECT 1"))
		db.close(t, c)
		for _, c := range []*overlay.Conn{c, open} {
			if !c.Closed() {
				t.Error("Closed is false")
			}
			everyCallFails(t, db, c)
		}
	})
}

func everyCallFails(t *testing.T, db *testDB, c *overlay.Conn) {
	t.Helper()
	wantError(t, failure(t, c.ExecuteAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
	wantError(t, failure(t, c.QueryAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
	wantError(t, failure(t, c.StreamAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
	wantError(t, failure(t, c.ExecAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
	wantError(t, failure(t, c.ScalarAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
	wantError(t, failure(t, c.BatchAsync(db.ctx, []overlay.Statement{{Query: "SELECT 1"}})), overlay.ErrClosed)
	wantError(t, failure(t, c.ExecManyAsync(db.ctx, "SELECT 1", [][]any{nil})), overlay.ErrClosed)
	wantError(t, failure(t, c.BeginAsync(db.ctx, nil)), overlay.ErrClosed)
	wantError(t, failure(t, c.BeginNestedAsync(db.ctx)), overlay.ErrClosed)
	wantError(t, failure(t, db.e.HasTableAsync(db.ctx, "people", overlay.On(c))), overlay.ErrClosed)
	wantError(t, failure(t, db.e.TableNamesAsync(db.ctx, overlay.On(c))), overlay.ErrClosed)
	wantError(t, failure(t, overlay.RunInThread(db.ctx, c, func(context.Context, *sql.Conn) (int, error) {
		t.Error("called on a closed connection")
		return 0, nil
	})), overlay.ErrClosed)
	nothing := func(context.Context, *overlay.Conn) error { t.Error("called on a closed connection"); return nil }
	wantError(t, c.WithTx(db.ctx, nil, nothing), overlay.ErrClosed)
	wantError(t, c.WithNested(db.ctx, nothing), overlay.ErrClosed)
}

// So do SyncConn and the blocking methods: the connection is its next user's.
func TestSyncConnOfAClosedConn(t *testing.T) {
	warnings.Record(t)
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		db.e.SyncDB().SetMaxOpenConns(1)
		for name, call := range map[string]func(c *overlay.Conn) error{
			"ExecContext": func(c *overlay.Conn) error { return second(c.ExecContext(db.ctx, insertPerson, "Ann")) },
			"BeginTx":     func(c *overlay.Conn) error { return second(c.BeginTx(db.ctx, nil)) },
			"SyncConn":    func(c *overlay.Conn) error { return second(c.SyncConn().ExecContext(db.ctx, insertPerson, "Ann")) },
		} {
			for _, used := range []bool{false, true} {
				c := db.connect(t)
				if used {
					noError(t, c.SyncConn().PingContext(db.ctx))
				}
				db.close(t, c)
				next := db.connect(t)
				if call(c) == nil {
					t.Errorf("%s, used before: %v: no error", name, used)
				}
				must(t, next.ExecAsync(db.ctx, insertPerson, "Bob"))
				db.close(t, next)
			}
		}
		db.wantPeople(t, 6)
	}, overlay.WithLanes(1))
}

// A call of SyncConn that waits for its turn while the Conn is closed is refused, and does not
// reach the connection's next user.
func TestSyncConnCallDuringClose(t *testing.T) {
	d := newScripted()
	entered, gate := make(chan struct{}), make(chan struct{})
	d.On("Tx.Rollback", drivertest.First(1, func(drivertest.Call) error { close(entered); <-gate; return nil }))
	db := d.openDB()
	defer db.Close()
	db.SetMaxOpenConns(1)
	e := overlay.New(db, overlay.WithLanes(1))
	c := must(t, e.ConnectAsync(background))
	sc := c.SyncConn()
	tx, err := sc.BeginTx(background, nil)
	noError(t, err)
	defer tx.Rollback()
	closing := c.CloseAsync(background)
	within(t, "the rollback", entered)
	next := e.ConnectAsync(background)
	late := make(chan error, 1)
	go func() { late <- second(sc.BeginTx(background, nil)) }()
	time.Sleep(10 * time.Millisecond) // it waits for the thread
	close(gate)
	must(t, closing)
	if err := <-late; err == nil {
		t.Error("a transaction was begun on a connection that was given back")
	}
	if n := d.Count("Conn.BeginTx"); n != 1 {
		t.Errorf("%d transactions were begun, want 1", n)
	}
	must(t, must(t, next).CloseAsync(background))
	noError(t, e.Shutdown(background))
}

// A nil context panics and leaves nothing behind that Shutdown would wait for.
func TestConnectWithoutAContext(t *testing.T) {
	e, err := overlay.Open("sqlite3", ":memory:")
	noError(t, err)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		e.ConnectAsync(nil) //lint:ignore SA1012 that is what is tested
	}()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	noError(t, e.Shutdown(ctx))
}

// Nor does it count as a call in a transaction.
func TestNilContextInATransaction(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		c.ExecAsync(nil, "SELECT 1") //lint:ignore SA1012 that is what is tested
	}()
	errs := make(chan error)
	go func() { errs <- second(c.ExecAsync(background, "INSERT INTO t VALUES (1)").Await(background)) }()
	if err := <-errs; err != nil {
		t.Errorf("nothing is under way: %v", err)
	}
	must(t, c.CloseAsync(background))
}

// What is closed on its own connection's thread ends, or says that it cannot end there.
func TestClosingInRunInThread(t *testing.T) {
	e := oneLane(t)
	ctx := atMost(t, time.Minute)
	c := must(t, e.ConnectAsync(ctx))
	r := must(t, c.StreamAsync(ctx, "SELECT 1 UNION SELECT 2"))
	tx := must(t, c.BeginAsync(ctx, nil))
	must(t, overlay.RunInThread(ctx, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
		noError(t, second(r.CloseAsync(ctx).Await(ctx)))
		noError(t, second(tx.CloseAsync(ctx).Await(ctx)))
		wantError(t, second(c.CloseAsync(ctx).Await(ctx)), overlay.ErrWouldDeadlock)
		return 0, nil
	}))
	must(t, c.CloseAsync(ctx))
}
