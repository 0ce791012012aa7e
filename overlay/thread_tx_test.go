package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// endedTxInThread has a function begin a transaction whose context ends: database/sql rolls it
// back, in a goroutine of its own.
func endedTxInThread(to overlay.Target) error {
	ctx, cancel := context.WithTimeout(background, 5*time.Millisecond)
	defer cancel()
	return second(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer tx.Rollback()
		var n int
		return n, tx.QueryRowContext(ctx, endlessQuery).Scan(&n)
	}).Await(background))
}

// A call after such a function is no part of its transaction, and its connection is whole.
func TestNoCallJoinsATransactionThatHasEnded(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	id := 0
	for _, to := range []interface {
		overlay.Target
		ExecAsync(context.Context, string, ...any) *overlay.Future[sql.Result]
	}{e, c} {
		for range 100 {
			wantError(t, endedTxInThread(to), context.DeadlineExceeded)
			id++
			must(t, to.ExecAsync(background, "INSERT INTO t VALUES (?)", id))
		}
	}
	must(t, c.CloseAsync(background))
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != id {
		t.Errorf("%d inserts were acknowledged, and %d rows are there", id, n)
	}
}

// A function's end does not wait for a lock that database/sql holds while it waits for
// the thread.
func TestFunctionEndsWhileDatabaseSQLRollsBack(t *testing.T) {
	d := newScripted()
	slow := make(chan struct{}, 1)
	d.On("Rows.Close", func(drivertest.Call) error {
		select {
		case slow <- struct{}{}:
		default:
		}
		time.Sleep(200 * time.Millisecond)
		return nil
	})
	db := d.openDB()
	e := overlay.New(db, overlay.WithLanes(1))
	c := must(t, e.ConnectAsync(background))
	ctx1, cancel1 := context.WithCancel(background)
	ctx2, cancel2 := context.WithCancel(background)
	_, err := c.SyncConn().BeginTx(ctx2, nil)
	noError(t, err)
	rows, err := c.SyncConn().QueryContext(ctx1, "rows 1000")
	noError(t, err)
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		cancel1()
		until(t, "the close that waits for the function", func() bool { return rows.Err() != nil })
		return 0, nil
	})
	go func() {
		<-slow // the function has returned, and the postponed close is at work
		cancel2()
	}()
	within(t, "the end of the function", f.Done())
	rows.Close()
	must(t, c.CloseAsync(background))
	noError(t, e.Shutdown(background))
	db.Close()
}

// A function whose statement was stopped can still roll back.
func TestStoppedFunctionRollsBack(t *testing.T) {
	e := oneLane(t)
	for range 20 {
		ctx, cancel := context.WithCancel(background)
		var rolledBack error
		err := second(overlay.RunInThread(ctx, e, func(_ context.Context, c *sql.Conn) (n int, err error) {
			tx, err := c.BeginTx(background, nil)
			if err != nil {
				return 0, err
			}
			defer func() { rolledBack = tx.Rollback() }()
			if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err != nil {
				return 0, err
			}
			time.AfterFunc(5*time.Millisecond, cancel) // a write that is stopped is rolled back by SQLite
			return n, tx.QueryRow(endlessQuery).Scan(&n)
		}).Await(background))
		cancel()
		wantError(t, err, context.Canceled)
		noError(t, rolledBack)
		noTxLeft(t, e, "RunInThread")
	}
}

// A transaction that a function leaves open is rolled back, and the function's call is told; the
// connection is kept, and what others write stays.
func TestTransactionLeftByAFunction(t *testing.T) {
	for name, begin := range map[string]func(context.Context, *sql.Conn) error{
		"BEGIN":   func(ctx context.Context, c *sql.Conn) error { return second(c.ExecContext(ctx, "BEGIN")) },
		"BeginTx": func(ctx context.Context, c *sql.Conn) error { return second(c.BeginTx(ctx, nil)) },
	} {
		for _, stopped := range []bool{false, true} {
			e := oneLane(t)
			must(t, e.ExecAsync(background, "CREATE TEMP TABLE kept (a)"))
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			begun := make(chan struct{})
			f := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				defer close(begun)
				if err := begin(ctx, c); err != nil {
					return 0, err
				}
				_, err := c.ExecContext(background, "INSERT INTO t VALUES (1)")
				if err != nil || !stopped {
					return 0, err
				}
				begun <- struct{}{}
				_, err = c.ExecContext(background, endlessQuery)
				return 0, err
			})
			<-begun
			want := overlay.ErrTxLeftOpen
			if stopped {
				cancel()
				want = context.Canceled
			}
			if err := failure(t, f); !errors.Is(err, want) {
				t.Errorf("%s, stopped %v: error %v, want %v", name, stopped, err, want)
			}
			must(t, e.ExecAsync(background, "INSERT INTO t VALUES (2)"))
			noTxLeft(t, e, "a function that has left its own")
			if n := must(t, overlay.Scalar[int](background, e, "SELECT sum(id) FROM t")); n != 2 {
				t.Errorf("%s, stopped %v: the sum is %d", name, stopped, n)
			}
			must(t, e.ScalarAsync(background, "SELECT count(*) FROM kept"))
		}
	}
}

// A function that says by Raw that its connection is bad ends the transaction that its Conn is in:
// the connection is dropped, or kept without the transaction if it holds the database.
func TestFunctionThatSaysItsConnectionIsBad(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Zoe")
		bad := func(sc *sql.Conn) error { return sc.Raw(func(any) error { return driver.ErrBadConn }) }
		for name, say := range map[string]func(c *overlay.Conn) error{
			"RunInThread": func(c *overlay.Conn) error {
				return second(overlay.RunInThread(db.ctx, c, func(_ context.Context, sc *sql.Conn) (int, error) { return 0, bad(sc) }).Await(db.ctx))
			},
			"SyncConn": func(c *overlay.Conn) error { return bad(c.SyncConn()) },
		} {
			t.Run(name, func(t *testing.T) {
				c := db.connect(t)
				tx := must(t, c.BeginAsync(db.ctx, nil))
				must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
				wantError(t, say(c), driver.ErrBadConn)
				if err := second(c.ExecAsync(db.ctx, insertPerson, "Bob").Await(db.ctx)); err == nil && !db.memory {
					t.Error("a later call was made")
				}
				if c.InTransaction() {
					t.Error("the Conn is in the transaction still")
				}
				failure(t, tx.CommitAsync(db.ctx))
				db.close(t, c)
				if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM people WHERE name = 'Ann'")); n != 0 {
					t.Error("what was done in the transaction has stayed")
				}
			})
		}
	})
}

// A sql.Conn that a function closes leaves its Conn in the transaction.
func TestFunctionThatClosesItsConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Zoe")
		c := db.connect(t)
		defer db.close(t, c)
		tx := must(t, c.BeginAsync(db.ctx, nil))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		must(t, overlay.RunInThread(db.ctx, c, func(_ context.Context, sc *sql.Conn) (int, error) { return 0, sc.Close() }))
		noError(t, c.SyncConn().Close())
		must(t, tx.CommitAsync(db.ctx))
		if n := must(t, overlay.Scalar[int](db.ctx, c, "SELECT count(*) FROM people")); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

// A transaction that RunCallable's function leaves open is nobody else's, however it ends.
func TestRunCallableLeavesNoTransaction(t *testing.T) {
	warnings.Record(t)
	for name, end := range map[string]func(){"panic": func() { panic("the function's") }, "Goexit": runtime.Goexit} {
		e := oneLane(t)
		e.SyncDB().SetMaxOpenConns(1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() { recover() }()
			e.RunCallable(background, func(sc *sql.Conn) error {
				noError(t, second(sc.ExecContext(background, "BEGIN")))
				end()
				return nil
			})
		}()
		within(t, "the end of RunCallable", done)
		keepsWrites(t, e, name)
	}
}

// RunCallable returns although its function has left a transaction or rows open.
func TestRunCallableWhoseFunctionLeavesSomethingOpen(t *testing.T) {
	warnings.Record(t)
	e := oneLane(t)
	e.SyncDB().SetMaxOpenConns(1)
	var tx *sql.Tx
	wantError(t, e.RunCallable(background, func(sc *sql.Conn) (err error) {
		tx, err = sc.BeginTx(background, nil)
		noError(t, err)
		return second(tx.Exec("INSERT INTO t VALUES (1)"))
	}), overlay.ErrTxLeftOpen)
	tx.Rollback() // ends its goroutine
	noError(t, e.RunCallable(background, func(sc *sql.Conn) error {
		return second(sc.QueryContext(background, "SELECT 1 UNION SELECT 2"))
	}))
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// RunCallable leaves alone who has the connection after its function has closed it.
func TestRunCallableWhoseFunctionClosesItsConn(t *testing.T) {
	warnings.Record(t)
	e := oneLane(t)
	e.SyncDB().SetMaxOpenConns(1)
	var tx *sql.Tx
	begun := make(chan error, 1)
	noError(t, e.RunCallable(background, func(sc *sql.Conn) error {
		go func() {
			var err error
			tx, err = e.SyncDB().BeginTx(background, nil) // waits for the connection
			if err == nil {
				_, err = tx.Exec("INSERT INTO t VALUES (1)")
			}
			begun <- err
		}()
		return sc.Close()
	}))
	noError(t, <-begun)
	noError(t, second(tx.Exec("INSERT INTO t VALUES (2)")))
	noError(t, tx.Commit())
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// keepsWrites fails the test if two writes, through the pool and the engine, are not kept.
func keepsWrites(t *testing.T, e *overlay.Engine, after string) {
	t.Helper()
	noError(t, second(e.SyncDB().ExecContext(background, "INSERT INTO t VALUES (1)")))
	must(t, e.ExecAsync(background, "INSERT INTO t VALUES (2)"))
	noTxLeft(t, e, after)
	if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 2 {
		t.Errorf("%s: %d rows, want 2", after, n)
	}
}

// noTxLeft fails the test if the only lane is in a transaction.
func noTxLeft(t *testing.T, e *overlay.Engine, what string) {
	t.Helper()
	ctx := context.Background()
	_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "BEGIN"}, {Query: "ROLLBACK"}}).Await(ctx)
	if err != nil {
		t.Errorf("after %s the lane's connection is still in the transaction: %v", what, err)
	}
}
