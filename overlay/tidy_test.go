package overlay_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"runtime"
	"testing"

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
