package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/overlay"
)

func wantCode(t *testing.T, err error, code uint16) {
	t.Helper()
	var e *mysql.MySQLError
	if !errors.As(err, &e) || e.Number != code {
		t.Errorf("error %v, want MySQL's %d", err, code)
	}
}

// inCall returns when the database runs the call, which must last long.
func inCall[T any](t *testing.T, to overlay.Target, f *overlay.Future[T]) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !overlay.Running(f) {
		if _, err, ok := f.TryResult(); ok {
			t.Fatal("the call is over already: ", err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the call does not begin")
		}
		runtime.Gosched()
	}
}

// soon fails the test if the interrupted call was waited for to its end.
func soon(t *testing.T, since time.Time) {
	t.Helper()
	if d := time.Since(since); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

func TestCancelOfARunningCall(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		for name, call := range map[string]func() (begun, cancel func(), result func() error){
			"Scalar": func() (func(), func(), func() error) { return parts(t, c, c.ScalarAsync(db.ctx, db.sleepyQuery)) },
			"Query":  func() (func(), func(), func() error) { return parts(t, c, c.QueryAsync(db.ctx, db.sleepyQuery)) },
			"Exec":   func() (func(), func(), func() error) { return parts(t, c, c.ExecAsync(db.ctx, db.sleepyQuery)) },
			"Batch": func() (func(), func(), func() error) {
				return parts(t, c, c.BatchAsync(db.ctx, []overlay.Statement{{Query: db.sleepyQuery}, {Query: db.sleepyQuery}}, overlay.KeepGoing()))
			},
			"ExecMany": func() (func(), func(), func() error) {
				return parts(t, c, c.ExecManyAsync(db.ctx, db.sleepyInsert, [][]any{nil, nil}))
			},
			"RunInThread": func() (func(), func(), func() error) {
				return parts(t, c, overlay.RunInThread(db.ctx, c, func(ctx context.Context, sc *sql.Conn) (n any, err error) {
					err = sc.QueryRowContext(ctx, db.sleepyQuery).Scan(&n)
					return n, err
				}))
			},
		} {
			begun, cancel, result := call()
			begun()
			start := time.Now()
			cancel()
			if err := result(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want context.Canceled", name, err)
			}
			soon(t, start)
			if n := must(t, overlay.Scalar[int](db.ctx, c, "SELECT 1")); n != 1 {
				t.Errorf("%s: the connection is of no use afterwards", name)
			}
		}
		db.close(t, c)
	})
}

func parts[T any](t *testing.T, to overlay.Target, f *overlay.Future[T]) (begun, cancel func(), result func() error) {
	return func() { inCall(t, to, f) }, f.Cancel, func() error { return second(f.Await(atMost(t, time.Minute))) }
}

func TestContextEndsARunningCall(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		ctx, cancel := context.WithCancel(db.ctx)
		f := db.e.ScalarAsync(ctx, db.sleepyQuery)
		inCall(t, db.e, f)
		start := time.Now()
		cancel()
		wantError(t, failure(t, f), context.Canceled)
		soon(t, start)
		ctx, cancel = context.WithTimeout(db.ctx, 20*time.Millisecond)
		defer cancel()
		wantError(t, failure(t, db.e.ScalarAsync(ctx, db.sleepyQuery)), context.DeadlineExceeded)
		if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT 1")); n != 1 {
			t.Error("the engine is of no use afterwards")
		}
	})
}

// An interrupt that comes late must not hit the next statement.
func TestCancelNeverHitsTheNextCall(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		for range 200 {
			f := c.ScalarAsync(db.ctx, "SELECT 1")
			next := overlay.Scalar[int](db.ctx, c, "SELECT 2")
			f.Cancel()
			if n := must(t, next); n != 2 {
				t.Fatal(n)
			}
			if _, err := f.Await(db.ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		db.close(t, c)
	})
}

func TestCancelOfAQueuedCall(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		running := c.ScalarAsync(db.ctx, db.sleepyQuery)
		inCall(t, c, running)
		ctx, cancel := context.WithCancel(db.ctx)
		queued, second := c.ExecAsync(db.ctx, insertPerson, "Ann"), c.ExecAsync(ctx, insertPerson, "Bob")
		queued.Cancel()
		cancel()
		wantError(t, failure(t, queued), context.Canceled) // while the other one runs
		wantError(t, failure(t, second), context.Canceled)
		if _, _, ok := running.TryResult(); ok {
			t.Error("the running call ended")
		}
		running.Cancel()
		failure(t, running)
		db.close(t, c)
		db.wantPeople(t, 0)
	})
}

func TestCallWithAnEndedContext(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		ctx, cancel := context.WithCancel(db.ctx)
		cancel()
		wantError(t, failure(t, db.e.ExecAsync(ctx, insertPerson, "Ann")), context.Canceled)
		wantError(t, failure(t, db.e.ConnectAsync(ctx)), context.Canceled)
		wantError(t, db.e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil }), context.Canceled)
		db.wantPeople(t, 0)
	})
}

// A call made on the thread ends with its own context.
func TestCancelOfACallInsideAFunction(t *testing.T) {
	e, err := overlay.Open(txDriver, filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(background)
	c := must(t, e.ConnectAsync(background))
	must(t, overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		query := fmt.Sprintf(endless+"select sum(mark(%d, i)) from g", txMarks.add(cancel))
		if _, err := c.ScalarAsync(ctx, query).Await(background); err != context.Canceled {
			t.Errorf("the call gave %v", err)
		}
		_, err := c.ScalarAsync(background, "select 1").Await(background)
		return 0, err
	}))
	must(t, c.CloseAsync(background))
}

// A query stopped in a later statement has made the first one: its outcome is unknown.
func TestQueryStoppedInALaterStatement(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		e := db.scripts(t)
		must(t, e.ExecAsync(db.ctx, "CREATE TABLE big (id BIGINT, data LONGTEXT, s INT)"))
		must(t, e.ExecAsync(db.ctx, "CREATE PROCEDURE p() BEGIN INSERT INTO big VALUES (1, '', 0); "+db.sleepyQuery+"; END"))
		for _, text := range []string{
			"INSERT INTO big VALUES (1, '', 0); INSERT INTO big SELECT seq + 10, REPEAT('x', 40000), SLEEP(0.02) FROM seq_1_to_1000 RETURNING id, data",
			"CALL p()",
		} {
			must(t, e.ExecAsync(db.ctx, "DELETE FROM big"))
			f := e.QueryAsync(db.ctx, text)
			until(t, "the first row", func() bool {
				return must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM big WHERE id = 1")) == 1
			})
			f.Cancel()
			wantError(t, failure(t, f), overlay.ErrOutcomeUnknown)
		}
	})
}
