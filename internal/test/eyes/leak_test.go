package eyes_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	aiodriver "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// watching is fakeConn with a driver that asks its context.
type watching struct{ fakeConn }

func (c *watching) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	ctx.Done()
	return driver.RowsAffected(1), nil
}

type watchingConnector struct{ *fake }

func (w watchingConnector) Connect(context.Context) (driver.Conn, error) {
	return &watching{fakeConn{w.fake}}, nil
}

// own is a context of another type than package context's, as web frameworks have them.
type own struct{ done chan struct{} }

func (own) Deadline() (time.Time, bool) { return time.Time{}, false }
func (o own) Done() <-chan struct{}     { return o.done }
func (o own) Err() error {
	select {
	case <-o.done:
		return context.Canceled
	default:
		return nil
	}
}
func (own) Value(any) any { return nil }

// Calls with one long-lived context, on a driver without an adapter.
func TestContextsLeak(t *testing.T) {
	e := overlay.New(aiodriver.OpenDB(watchingConnector{&fake{}}), overlay.WithLanes(1))
	defer e.Shutdown(bg)
	const n = 20000
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	long, cancel := context.WithCancel(bg)
	defer cancel()
	custom := own{make(chan struct{})}
	defer close(custom.done)
	for name, ctx := range map[string]context.Context{"Background": bg, "cancellable": long, "custom": custom} {
		for what, f := range map[string]func() error{
			"ExecAsync":  func() error { _, err := e.ExecAsync(ctx, "x").Await(bg); return err },
			"BatchAsync": func() error { _, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "x"}}).Await(bg); return err },
		} {
			ok(t, what, f())
			before, goroutines := heap(), runtime.NumGoroutine()
			for range n {
				f()
			}
			time.Sleep(300 * time.Millisecond)
			grown, more := (heap()-before)/n, runtime.NumGoroutine()-goroutines
			t.Logf("%s, %s: %d bytes a call stay, %d goroutines more after %d calls", name, what, grown, more, n)
			if grown > 50 || more > 10 {
				t.Error("LEAK")
			}
		}
	}
}

// Questions about tables on a Conn.
func TestTableNamesLeak(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	defer c.CloseAsync(bg)
	rss := func() int64 {
		runtime.GC()
		var pages, res int64
		b, _ := os.ReadFile("/proc/self/statm")
		fmt.Sscan(string(b), &pages, &res)
		return res * 4096
	}
	for what, f := range map[string]func() error{
		"TableNamesAsync": func() error { _, err := e.TableNamesAsync(bg, overlay.On(c)).Await(bg); return err },
		"HasTableAsync":   func() error { _, err := e.HasTableAsync(bg, "t", overlay.On(c)).Await(bg); return err },
		"QueryAsync":      func() error { _, err := c.QueryAsync(bg, "SELECT name FROM sqlite_master").Await(bg); return err },
	} {
		f()
		before := rss()
		var at [2]time.Duration
		for half := range at {
			start := time.Now()
			for range 5000 {
				ok(t, what, f())
			}
			at[half] = time.Since(start)
		}
		t.Logf("%s: %d bytes a call stay; first 5,000 calls %v, next 5,000 %v", what, (rss()-before)/10000, at[0], at[1])
	}
}
