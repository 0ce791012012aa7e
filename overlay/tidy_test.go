package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// occupy has a connection busy until release is called.
func occupy(t *testing.T, to overlay.Target) (release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	overlay.RunInThread(background, to, func(context.Context, *sql.Conn) (int, error) {
		close(started)
		<-gate
		return 0, nil
	})
	within(t, "the start of a call", started)
	return func() { close(gate) }
}

func must[T any](t *testing.T, f *overlay.Future[T]) T {
	t.Helper()
	within(t, "the end of a call", f.Done())
	v, err, _ := f.TryResult()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// onFile opens an engine whose connections go back to a pool that stays open.
func onFile(t *testing.T, opts ...overlay.Option) (*overlay.Engine, *sql.DB) {
	db, err := sql.Open("aio", "sqlite3:"+filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_busy_timeout=100")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	e := overlay.New(db, opts...)
	t.Cleanup(func() { e.Shutdown(background) })
	must(t, e.ExecAsync(background, "create table t (k integer primary key)"))
	return e, db
}

// TestCloseWithFullQueue proves that a connection closed while its queue is full
// is put in order before it goes back to the pool.
func TestCloseWithFullQueue(t *testing.T) {
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

// TestShutdownMeetsClose proves that a forced Shutdown leaves the closing of a
// connection alone that has been asked for.
func TestShutdownMeetsClose(t *testing.T) {
	e, db := onFile(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	must(t, c.ExecAsync(background, "insert into t values (1)"))
	release := occupy(t, c)
	closed := c.CloseAsync(background)
	ctx, cancel := context.WithCancel(background)
	cancel()
	drains := &seenContext{Context: ctx, seen: make(chan struct{})}
	shut := make(chan struct{})
	go func() { e.Shutdown(drains); close(shut) }()
	within(t, "Shutdown", drains.seen)
	release()
	within(t, "the end of Shutdown", shut)
	must(t, closed)
	if _, err := db.Exec("insert into t values (4)"); err != nil {
		t.Fatalf("the connection went back with its transaction: %v", err)
	}
}

// TestGoexitInTransaction proves that a connection whose thread has ended in
// a transaction can be closed.
func TestGoexitInTransaction(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	if _, err := f.Await(background); err != threadpin.ErrGoexit {
		t.Fatal(err)
	}
	must(t, c.CloseAsync(background))
	must(t, e.ExecAsync(background, "insert into t values (1)"))
}

// TestGoexitInside proves that all calls end whose thread ends in the innermost one.
func TestGoexitInside(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	inner := make(chan *overlay.Future[int], 1)
	outer := overlay.RunInThread(background, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
		inner <- overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) {
			runtime.Goexit()
			return 0, nil
		})
		return 0, nil
	})
	within(t, "the end of the outer call", outer.Done())
	if _, err := outer.Await(background); err != threadpin.ErrGoexit {
		t.Fatal(err)
	}
	must(t, c.CloseAsync(background))
}

// TestInsideTransaction proves that a function on the thread may use the
// transaction that it is called in.
func TestInsideTransaction(t *testing.T) {
	e, _ := onFile(t)
	err := e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := overlay.RunInThread(ctx, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
			_, err := c.ExecAsync(ctx, "insert into t values (1)").Await(ctx)
			return 0, err
		}).Await(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestShutdownMeetsConnect proves that Shutdown and connecting may meet.
func TestShutdownMeetsConnect(t *testing.T) {
	for range 200 {
		d := newScripted()
		db := d.openDB()
		e := overlay.New(db)
		ctx, cancel := context.WithCancel(background)
		cancel()
		var fs []*overlay.Future[*overlay.Conn]
		for range 4 {
			fs = append(fs, e.ConnectAsync(background))
		}
		e.Shutdown(ctx)
		for _, f := range fs {
			within(t, "the end of connecting", f.Done())
			if c, err, _ := f.TryResult(); err == nil {
				must(t, c.CloseAsync(background))
			} else if err != overlay.ErrClosed && err != context.Canceled {
				t.Fatal(err)
			}
		}
		db.Close()
		d.check(t)
	}
}

// panics is an argument that panics when its value is asked for.
type panics struct{ _ int }

func (panics) Value() (driver.Value, error) { panic("no value") }

// TestPanicInBatch proves that a batch that panics leaves no transaction behind.
func TestPanicInBatch(t *testing.T) {
	e, db := onFile(t, overlay.WithLanes(1))
	_, err := e.BatchAsync(background, []overlay.Statement{
		{Query: "insert into t values (1)"},
		{Query: "insert into t values (?)", Args: []any{panics{}}},
	}, overlay.InTx(nil)).Await(background)
	var p *threadpin.PanicError
	if !errors.As(err, &p) {
		t.Fatalf("the batch gave %v", err)
	}
	if _, err := db.Exec("insert into t values (1)"); err != nil {
		t.Fatal(err)
	}
}

// TestForcedResult proves that Shutdown does not wait for a result that nobody
// reads.
func TestForcedResult(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db)
	entered, gate := make(chan struct{}), make(chan struct{})
	d.On("Conn.QueryContext", func(drivertest.Call) error { close(entered); <-gate; return nil })
	f := e.QueryAsync(background, "rows 1000")
	within(t, "the query", entered)
	ctx, cancel := context.WithCancel(background)
	cancel()
	shut := make(chan struct{})
	stopped := make(chan struct{})
	d.onInterrupt = func(int) {
		select {
		case <-stopped:
		default:
			close(stopped)
		}
	}
	go func() { e.Shutdown(ctx); close(shut) }()
	within(t, "the interrupt", stopped)
	close(gate)
	within(t, "the end of Shutdown", shut)
	f.Await(background)
}

// TestCancelInside proves that a call made on the thread ends with its own context.
func TestCancelInside(t *testing.T) {
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

// A forced Shutdown stops a call wherever it is: waiting, about to begin, running.
func TestShutdownMeetsTheBeginningOfACall(t *testing.T) {
	ended, cancel := context.WithCancel(background)
	cancel()
	for i := range 100 {
		e, _ := onFile(t, overlay.WithLanes(1+i%2))
		var fs []*overlay.Future[int]
		for range 1 + i%3 {
			fs = append(fs, overlay.Scalar[int](background, e, `
				with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n`))
		}
		for range i * 20 {
			runtime.Gosched()
		}
		shut := make(chan struct{})
		go func() { e.Shutdown(ended); close(shut) }()
		within(t, "Shutdown", shut)
		for _, f := range fs {
			within(t, "the end of a call", f.Done())
			if _, err, _ := f.TryResult(); err != overlay.ErrClosed {
				t.Fatal(err)
			}
		}
	}
}
