package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// onBoth runs a test of RunInThread on an Engine, and on a Conn.
func onBoth(t *testing.T, fn func(t *testing.T, db *testDB, to overlay.Target)) {
	onEach(t, func(t *testing.T, db *testDB) {
		t.Run("Engine", func(t *testing.T) { fn(t, db, db.e) })
		t.Run("Conn", func(t *testing.T) {
			c := db.connect(t)
			defer db.close(t, c)
			fn(t, db, c)
		})
	})
}

// wantUsable fails if the target does not answer, or has forgotten what a function
// left open.
func wantUsable(t *testing.T, db *testDB, to overlay.Target) {
	t.Helper()
	if n := must(t, overlay.Scalar[int](db.ctx, to, "SELECT 2")); n != 2 {
		t.Errorf("SELECT 2 returns %d", n)
	}
}

func TestRunInThreadTakesAndReturnsAnything(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		type pair struct {
			n    int
			name string
		}
		n, name := 41, "Ann"
		p := must(t, overlay.RunInThread(db.ctx, to, func(ctx context.Context, c *sql.Conn) (*pair, error) {
			p := &pair{name: name}
			err := c.QueryRowContext(ctx, "SELECT 1 + ?", n).Scan(&p.n)
			return p, err
		}))
		if *p != (pair{42, "Ann"}) {
			t.Errorf("%+v", *p)
		}
	})
}

// The error is fn's own, and what fn returned with it comes along.
func TestRunInThreadReturnsTheErrorAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		v, err := overlay.RunInThread(db.ctx, to, func(context.Context, *sql.Conn) (string, error) {
			return "half", errOwn
		}).Await(db.ctx)
		if err != errOwn || v != "half" {
			t.Errorf("%q, %v", v, err)
		}
		var bare error
		err = failure(t, overlay.RunInThread(db.ctx, to, func(ctx context.Context, c *sql.Conn) (any, error) {
			_, bare = c.ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
			return nil, bare
		}))
		if err != bare {
			t.Errorf("error %v, want the driver's own, %v", err, bare)
		}
		wantUsable(t, db, to)
	})
}

func panicsOnTheThread() { panic(errOwn) }

func TestRunInThreadReturnsAPanic(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		err := failure(t, overlay.RunInThread(db.ctx, to, func(context.Context, *sql.Conn) (int, error) {
			panicsOnTheThread()
			return 1, nil
		}))
		var p *threadpin.PanicError
		if !errors.As(err, &p) {
			t.Fatalf("error %v, want a *threadpin.PanicError", err)
		}
		if p.Value != errOwn {
			t.Errorf("it says %v", p.Value)
		}
		if !strings.Contains(string(p.Stack), "panicsOnTheThread") {
			t.Errorf("the stack does not show where the panic was:\n%s", p.Stack)
		}
		wantError(t, err, errOwn)
		wantUsable(t, db, to)
	})
}

func TestRunInThreadRunsOnTheConnectionsThread(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		runtime.LockOSThread() // the connection's could be this one otherwise
		defer runtime.UnlockOSThread()
		test := threadpin.CurrentThreadID()
		ids := must(t, overlay.RunInThread(db.ctx, to, func(ctx context.Context, c *sql.Conn) (ids [2]int, err error) {
			w, err := driver.Thread(c)
			if err != nil {
				return ids, err
			}
			ids[0] = w.ThreadID()
			err = c.Raw(func(any) error {
				ids[1] = threadpin.CurrentThreadID()
				return nil
			})
			if here := threadpin.CurrentThreadID(); here != ids[0] {
				t.Errorf("fn is on thread %d, the connection's is %d", here, ids[0])
			}
			return ids, err
		}))
		if ids[0] != ids[1] || ids[0] == test {
			t.Errorf("the connection's thread is %d, what fn calls is on %d, the test on %d", ids[0], ids[1], test)
		}
	})
}

// All calls on a Conn, and so all functions, are on one thread.
func TestRunInThreadOnAConnKeepsTheThread(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		id := func(context.Context, *sql.Conn) (int, error) { return threadpin.CurrentThreadID(), nil }
		first := must(t, overlay.RunInThread(db.ctx, c, id))
		for range 10 {
			if again := must(t, overlay.RunInThread(db.ctx, c, id)); again != first {
				t.Fatalf("thread %d, then %d", first, again)
			}
		}
		if w, err := driver.Thread(c.SyncConn()); err != nil || w.ThreadID() != first {
			t.Errorf("the connection's thread is another one, or %v", err)
		}
	})
}

// What is made from the connection is on its thread as well: a statement, a
// transaction, rows.
func TestRunInThreadStatementsAndTransactions(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		execute := func(query string) {
			must(t, overlay.RunInThread(db.ctx, to, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
				return c.ExecContext(ctx, query)
			}))
		}
		execute("CREATE TABLE people (id INTEGER PRIMARY KEY " + db.auto + ", name VARCHAR(40) NOT NULL)")
		defer execute("DROP TABLE people")
		insert := func(commit bool) func(ctx context.Context, c *sql.Conn) (n int, err error) {
			return func(ctx context.Context, c *sql.Conn) (n int, err error) {
				tx, err := c.BeginTx(ctx, nil)
				if err != nil {
					return 0, err
				}
				defer tx.Rollback()
				s, err := tx.PrepareContext(ctx, insertPerson)
				if err != nil {
					return 0, err
				}
				defer s.Close()
				for i := range 3 {
					if _, err := s.ExecContext(ctx, fmt.Sprint("n", i)); err != nil {
						return 0, err
					}
				}
				if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM people").Scan(&n); err != nil || !commit {
					return n, err
				}
				return n, tx.Commit()
			}
		}
		if n := must(t, overlay.RunInThread(db.ctx, to, insert(false))); n != 3 {
			t.Errorf("%d rows in the transaction, want 3", n)
		}
		if n := must(t, overlay.Scalar[int](db.ctx, to, "SELECT count(*) FROM people")); n != 0 {
			t.Errorf("%d rows after the rollback, want 0", n)
		}
		must(t, overlay.RunInThread(db.ctx, to, insert(true)))
		if n := must(t, overlay.Scalar[int](db.ctx, to, "SELECT count(*) FROM people")); n != 3 {
			t.Errorf("%d rows after the commit, want 3", n)
		}
	})
}

// Nobody else gets the thread meanwhile: what waits for it would wait for ever.
func TestRunInThreadMakesCallsOnTheSpot(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		var order []string
		n := must(t, overlay.RunInThread(db.ctx, c, func(ctx context.Context, sc *sql.Conn) (int, error) {
			later := c.ScalarAsync(ctx, "SELECT 1")
			if _, _, ok := later.TryResult(); !ok {
				t.Error("a call made on the thread was queued behind itself")
			}
			return overlay.RunInThread(ctx, c, func(ctx context.Context, sc *sql.Conn) (n int, err error) {
				order = append(order, "inner")
				err = sc.QueryRowContext(ctx, "SELECT 3").Scan(&n)
				return n, err
			}).Await(ctx)
		}))
		if n != 3 || len(order) != 1 {
			t.Errorf("%d, %q", n, order)
		}
	})
}

// ended tells why and when the context that a function got has ended.
func ended(started chan<- struct{}, db *testDB) func(ctx context.Context, c *sql.Conn) (error, error) {
	return func(ctx context.Context, c *sql.Conn) (error, error) {
		close(started)
		select {
		case <-ctx.Done():
			return ctx.Err(), nil
		case <-db.ctx.Done():
			return nil, errors.New("ctx does not end")
		}
	}
}

func TestRunInThreadIsToldOfCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		started := make(chan struct{})
		f := overlay.RunInThread(db.ctx, to, ended(started, db))
		within(t, "the function", started)
		f.Cancel()
		// fn has dealt with it, so that its result counts.
		wantError(t, must(t, f), context.Canceled)
		wantUsable(t, db, to)
	})
}

func TestRunInThreadIsToldOfItsContextsEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		type key struct{}
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "value"))
		started := make(chan struct{})
		f := overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (error, error) {
			if ctx.Value(key{}) != "value" {
				t.Error("the context has lost its values")
			}
			return ended(started, db)(ctx, c)
		})
		within(t, "the function", started)
		cancel()
		wantError(t, must(t, f), context.Canceled)
		wantUsable(t, db, to)
	})
}

// The statement that runs is interrupted, whichever way the function is told, and
// also if it does not use its context.
func TestRunInThreadStatementsAreInterrupted(t *testing.T) {
	onBoth(t, func(t *testing.T, db *testDB, to overlay.Target) {
		query := db.sleepyQuery
		for name, own := range map[string]bool{"with its context": true, "with another": false} {
			for _, byContext := range []bool{false, true} {
				ctx, cancel := context.WithCancel(db.ctx)
				started := make(chan struct{})
				f := overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (n any, err error) {
					if !own {
						ctx = context.Background()
					}
					close(started)
					err = c.QueryRowContext(ctx, query).Scan(&n)
					return n, err
				})
				within(t, "the function", started)
				start := time.Now()
				if byContext {
					cancel()
				} else {
					f.Cancel()
				}
				if err := failure(t, f); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: error %v, want context.Canceled", name, err)
				}
				soon(t, start)
				cancel()
				wantUsable(t, db, to)
			}
		}
	})
}

// ColumnTypes does not wait for a function that has the thread, which may want a lock that
// database/sql holds meanwhile: it knows nothing then.
func TestColumnTypesWhileAFunctionRuns(t *testing.T) {
	e := oneLane(t)
	c := must(t, e.ConnectAsync(background))
	rows, err := c.SyncConn().QueryContext(background, "SELECT 1 AS a")
	noError(t, err)
	started, gate := make(chan struct{}), make(chan struct{})
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		close(started)
		<-gate
		return 0, nil
	})
	<-started
	time.AfterFunc(500*time.Millisecond, func() { close(gate) })
	func() {
		defer func() {
			if v := recover(); v != nil {
				t.Errorf("ColumnTypes panics: %v", v)
			}
		}()
		rows.ColumnTypes()
	}()
	must(t, f)
	rows.Close()
	must(t, c.CloseAsync(background))
}

// What a function has made of the error of a statement that was stopped is the call's error.
func TestRunInThreadKeepsTheErrorOfAStoppedFunction(t *testing.T) {
	e := oneLane(t)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	err := failure(t, overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		return 0, errors.Join(errOwn, second(c.ExecContext(ctx, endlessQuery)))
	}))
	wantError(t, err, errOwn)
	wantError(t, err, context.DeadlineExceeded)
}

// So is an unknown outcome, although the function was cancelled.
func TestCancelledFunctionWithAnUnknownOutcome(t *testing.T) {
	e := oneLane(t)
	ctx, cancel := context.WithCancel(background)
	f := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		cancel()
		time.Sleep(20 * time.Millisecond) // the function is being stopped
		return 0, fmt.Errorf("%w: %w", overlay.ErrOutcomeUnknown, context.Canceled)
	})
	wantError(t, failure(t, f), overlay.ErrOutcomeUnknown)
}
