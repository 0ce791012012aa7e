package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
	"github.com/sqlaio/sqlaio/warnings"
)

func TestConnectAsValue(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		if n := must(t, overlay.Scalar[int](db.ctx, c, "SELECT 1")); n != 1 || c.Closed() {
			t.Errorf("got %d, closed: %v", n, c.Closed())
		}
		db.close(t, c)
		if !c.Closed() {
			t.Error("Closed is false after CloseAsync")
		}
		db.close(t, c) // once more does nothing
	})
}

func TestConnectAsScope(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		var kept *overlay.Conn
		err := db.e.WithConn(db.ctx, func(ctx context.Context, c *overlay.Conn) error {
			kept = c
			must(t, c.ScalarAsync(ctx, "SELECT 1"))
			return errOwn
		})
		if err != errOwn || !kept.Closed() {
			t.Errorf("WithConn returned %v, closed: %v", err, kept.Closed())
		}
		func() {
			defer func() { recover() }()
			db.e.WithConn(db.ctx, func(ctx context.Context, c *overlay.Conn) error {
				kept = c
				panic(errOwn)
			})
		}()
		if !kept.Closed() {
			t.Error("a panic leaves the connection open")
		}
	})
}

func TestBranchSharesTheTransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		defer db.close(t, c)
		b := c.Branch()
		tx := must(t, c.BeginAsync(db.ctx, nil))
		must(t, b.ExecAsync(db.ctx, insertPerson, "Ann"))
		if !b.InTransaction() || b.SyncConn() != c.SyncConn() {
			t.Error("the branch has a connection of its own")
		}
		must(t, b.CloseAsync(db.ctx))
		must(t, tx.RollbackAsync(db.ctx))
		if n := count(t, db, c); n != 0 {
			t.Errorf("%d people, want none", n)
		}
	})
}

// Calls queue in the order in which they were asked for.
func TestCallsOfAConnKeepTheirOrder(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		defer db.close(t, c)
		var last *overlay.Future[sql.Result]
		for _, name := range many() {
			last = c.ExecAsync(db.ctx, insertPerson, name)
		}
		id, err := must(t, last).LastInsertId()
		if n := count(t, db, c); n != 1000 || id != 1000 || err != nil {
			t.Errorf("%d people, the last one is %d (%v)", n, id, err)
		}
		if name := must(t, overlay.Scalar[string](db.ctx, c, "SELECT name FROM people WHERE id = 500")); name != "n500" {
			t.Errorf("number 500 is %s", name)
		}
	})
}

// On the connection's own thread its calls are made on the spot, in a transaction too.
func TestAsyncCallsInRunInThread(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			n := must(t, overlay.RunInThread(ctx, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
				if _, err := c.ExecAsync(ctx, insertPerson, "Ann").Await(ctx); err != nil {
					return 0, err
				}
				return overlay.Scalar[int](ctx, c, "SELECT count(*) FROM people").Await(ctx)
			}))
			if n != 1 {
				t.Errorf("%d people, want 1", n)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A transaction ends with WithTx also if a goroutine of fn's still uses it.
func TestWithTxEndsWhileAnotherGoroutineCalls(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		var late *overlay.Future[any]
		err := c.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			made := make(chan struct{})
			go func() {
				defer close(made)
				late = c.ScalarAsync(ctx, db.sleepyQuery)
			}()
			<-made
			inCall(t, c, late)
			_, err := c.ScalarAsync(ctx, "SELECT 1").Await(ctx)
			wantError(t, err, overlay.ErrConcurrentTx)
			time.AfterFunc(50*time.Millisecond, late.Cancel)
			return err
		})
		wantError(t, err, overlay.ErrConcurrentTx)
		failure(t, late)
		if c.InTransaction() {
			t.Error("the transaction is still open")
		}
	})
}

// SyncConn, and a function's sql.Conn, are of use after the context of one of their transactions
// has ended.
func TestSyncConnAfterItsTransactionsContext(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		use := func(sc func() *sql.Conn) (err error) {
			ctx, cancel := context.WithCancel(db.ctx)
			tx, err := sc().BeginTx(ctx, nil)
			noError(t, err)
			noError(t, second(tx.Exec(insertPerson, "Ann")))
			cancel()
			for range 100 { // database/sql rolls back in a goroutine of its own
				if err = second(sc().ExecContext(db.ctx, insertPerson, "Bob")); err == nil {
					break
				}
				time.Sleep(time.Millisecond)
			}
			return err
		}
		c := db.connect(t)
		noError(t, use(c.SyncConn))
		db.close(t, c)
		must(t, overlay.RunInThread(db.ctx, db.e, func(_ context.Context, sc *sql.Conn) (int, error) {
			return 0, use(func() *sql.Conn { return sc })
		}))
		db.wantPeople(t, 2)
	})
}

// A Conn gets its turn on its thread however many calls wait for that: its calls, its commit and its
// close are made.
func TestConnOnAThreadWithANarrowQueue(t *testing.T) {
	d := newScripted()
	db := aio.OpenDB(scriptedConnector{d.Connector("test"), d}, aio.WithThread(threadpin.WithQueue(1)))
	defer db.Close()
	e := overlay.New(db)
	c := must(t, e.ConnectAsync(background))
	tx := must(t, c.BeginAsync(background, nil))
	release := occupy(t, c)
	inSync := make(chan error, 1)
	go func() { inSync <- second(c.SyncConn().ExecContext(background, "noop")) }()
	time.Sleep(10 * time.Millisecond) // it waits for the thread
	f := c.ExecAsync(background, "noop")
	release()
	noError(t, <-inSync)
	must(t, f)
	must(t, tx.CommitAsync(background))
	must(t, c.CloseAsync(background))
	if n := d.Count("Tx.Commit"); n != 1 {
		t.Errorf("%d commits, want 1", n)
	}
	noError(t, e.Shutdown(background))
}

// A call's end is that of what was made for it: nothing stays with a context that lives on.
func TestCallsLeaveNothingWithTheirContext(t *testing.T) {
	d, e := faked(t)
	d.On("Conn.ExecContext", func(k drivertest.Call) error { k.Ctx.Done(); return nil })
	ctx := &countedContext{Context: background, done: make(chan struct{})}
	for range 10 {
		must(t, e.ExecAsync(ctx, "noop"))
		must(t, e.BatchAsync(ctx, []overlay.Statement{{Query: "noop"}}))
		must(t, overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			return 0, second(c.ExecContext(ctx, "noop"))
		}))
	}
	if ctx.uses.Load() == 0 {
		t.Error("the context was not used")
	}
	until(t, "the end of what has used the context", func() bool { return ctx.left.Load() == 0 })
}

// Raw that says that the connection is bad is believed also after the context of a transaction has
// ended.
func TestRawSaysBadConnAfterATransactionsContext(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	sc := c.SyncConn()
	ctx, cancel := context.WithCancel(background)
	tx, err := sc.BeginTx(ctx, nil)
	noError(t, err)
	cancel()
	until(t, "database/sql's rollback", func() bool { return tx.Rollback() == sql.ErrTxDone && !c.InTransaction() })
	must(t, c.BeginAsync(background, nil))
	wantError(t, sc.Raw(func(any) error { return driver.ErrBadConn }), driver.ErrBadConn)
	wantError(t, failure(t, c.ExecAsync(background, "insert into t values (1)")), driver.ErrBadConn)
	must(t, c.CloseAsync(background))
}

// Nor do calls on a Conn whose connection is lost.
func TestCallsOnALostConnLeaveNothingWithTheirContext(t *testing.T) {
	d, e := faked(t)
	c := must(t, e.ConnectAsync(background))
	d.On("Conn.ExecContext", drivertest.Return(driver.ErrBadConn))
	ctx := &countedContext{Context: background, done: make(chan struct{})}
	for range 10 {
		wantError(t, failure(t, c.ExecAsync(ctx, "noop")), driver.ErrBadConn)
	}
	until(t, "the end of what has used the context", func() bool { return ctx.left.Load() == 0 })
	must(t, c.CloseAsync(background))
}

// A pool whose idle connections have all died is no obstacle to ExecContext of an Engine: it takes a new
// one in the end, as sql.DB does.
func TestExecContextOnAPoolOfDeadConnections(t *testing.T) {
	warnings.Record(t)
	const idle = 6
	d := drivertest.New(drivertest.LikeSQLite) // its connections do not say that they have died
	d.On("Conn.ExecContext", func(k drivertest.Call) error {
		if k.Conn <= idle {
			return driver.ErrBadConn
		}
		return nil
	})
	db := aio.OpenDB(d.Connector(""))
	defer db.Close()
	db.SetMaxIdleConns(idle)
	var conns []*sql.Conn
	for range idle {
		c, err := db.Conn(background)
		noError(t, err)
		conns = append(conns, c)
	}
	for _, c := range conns {
		noError(t, c.Close())
	}
	e := overlay.New(db, overlay.WithLanes(1))
	noError(t, second(e.ExecContext(background, "noop")))
	noError(t, e.Shutdown(background))
}

// countedContext counts what waits for its end.
type countedContext struct {
	context.Context
	done       chan struct{}
	uses, left atomic.Int64
}

func (c *countedContext) Done() <-chan struct{} { return c.done }

func (c *countedContext) AfterFunc(func()) (stop func() bool) {
	c.uses.Add(1)
	c.left.Add(1)
	return sync.OnceValue(func() bool { c.left.Add(-1); return true })
}

// Functions that have all connections, and each of which waits for another one: one is told.
func TestFunctionsThatWaitForConnections(t *testing.T) {
	for name, wait := range map[string]func(ctx context.Context, e *overlay.Engine) error{
		"ConnectAsync": func(ctx context.Context, e *overlay.Engine) error {
			f := e.ConnectAsync(background)
			c, err := f.Await(ctx)
			if f.Cancel(); err == nil {
				c.CloseAsync(background)
			}
			return err
		},
		"StreamAsync": func(ctx context.Context, e *overlay.Engine) error {
			f := e.StreamAsync(background, "select 1")
			r, err := f.Await(ctx)
			if f.Cancel(); err == nil {
				r.CloseAsync(background)
			}
			return err
		},
	} {
		for _, onConn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, one on a Conn: %v", name, onConn), func(t *testing.T) {
				e, db := onFile(t, overlay.WithLanes(2))
				db.SetMaxOpenConns(2)
				targets, giveBack := []overlay.Target{e, e}, func() {}
				if onConn {
					c := must(t, e.ConnectAsync(background))
					targets[0], giveBack = c, func() { c.CloseAsync(background) }
				}
				var both sync.WaitGroup
				both.Add(2)
				var fs []*overlay.Future[error]
				for _, to := range targets {
					fs = append(fs, overlay.RunInThread(background, to, func(context.Context, *sql.Conn) (error, error) {
						both.Done()
						both.Wait()
						return wait(atMost(t, patience), e), nil
					}))
				}
				told := 0
				for _, f := range fs {
					switch err := must(t, f); {
					case errors.Is(err, overlay.ErrWouldDeadlock):
						told++
					default:
						noError(t, err)
					}
					giveBack()
				}
				if told != 1 {
					t.Errorf("%d were told, want one", told)
				}
			})
		}
	}
}
