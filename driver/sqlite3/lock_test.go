//go:build cgo && unix

package sqlite3_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	adapter "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/harness"
)

// lockFile makes a database whose write lock another connection holds, until
// release.
func lockFile(t testing.TB) (path string, release func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "locked.db")
	blocker, _ := openBare(t, path)
	must(t, blocker.exec("begin immediate"))
	return path, func() { must(t, blocker.exec("commit")) }
}

func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrBusy
}

// after runs fn in a while. The function that it returns waits for fn's end, as
// the shim does before it settles.
func after(d time.Duration, fn func()) (wait func()) {
	done := make(chan struct{})
	time.AfterFunc(d, func() { fn(); close(done) })
	return func() { <-done }
}

// processorTime is what the process has used so far.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A context that ends also ends a wait for the lock, with the context's error,
// and the connection goes on.
func TestContextEndsTheWaitForTheLock(t *testing.T) {
	ends := map[string]func() (context.Context, context.CancelFunc){
		"cancel": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(cancelBackground)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		},
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(cancelBackground, 50*time.Millisecond)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			e := cancelAio(t, "_busy_timeout=60000&_journal=WAL")
			blocker := e.conn()
			defer blocker.Close()
			_, err := blocker.ExecContext(cancelBackground, "begin immediate")
			must(t, err)
			c := e.conn()
			defer c.Close()
			for _, call := range cancelCalls {
				ctx, cancel := end()
				start := time.Now()
				wait := harness.Go(t, "the call", func() error { return call.run(ctx, c, "insert into t select 1 returning x") })
				if err, took := wait(), time.Since(start); err != ctx.Err() || took > 2*time.Second {
					t.Errorf("%s: %v after %v", call.name, err, took)
				}
				cancel()
			}
			_, err = blocker.ExecContext(cancelBackground, "commit")
			must(t, err)
			_, err = c.ExecContext(cancelBackground, "insert into t values(2)")
			must(t, err)
			if xs := e.xs(); xs != "[2]" {
				t.Errorf("%s", xs)
			}
		})
	}
}

// While a connection waits for the lock nothing uses the processor.
func TestWaitForTheLockUsesNoProcessor(t *testing.T) {
	path, _ := lockFile(t)
	c, _ := openBare(t, path+"?_busy_timeout=60000")
	before := processorTime(t)
	wait := after(300*time.Millisecond, c.interrupt)
	start := time.Now()
	err := c.exec("insert into t values(1)")
	wait()
	took, used := time.Since(start), processorTime(t)-before
	if !c.stop.Interrupted(err) {
		t.Errorf("got %v", err)
	}
	t.Logf("%v of processor time in %v", used, took)
	if used > took/3 {
		t.Errorf("used %v of processor time in %v", used, took)
	}
}

// Without an interrupt the wait lasts as long as bare, however that is set.
func TestWaitForTheLockLastsAsLongAsBare(t *testing.T) {
	path, _ := lockFile(t)
	for _, test := range []struct {
		dsn, pragma string
		want        time.Duration
	}{
		{"?_busy_timeout=0", "", 0},
		{"?_busy_timeout=7", "", 7 * time.Millisecond},
		{"?_busy_timeout=350", "", 350 * time.Millisecond},
		{"?_timeout=120", "", 120 * time.Millisecond},
		{"", "PRAGMA busy_timeout = 150", 150 * time.Millisecond},
		{"?_busy_timeout=60000", "pragma Busy_Timeout(150)", 150 * time.Millisecond},
		{"?_busy_timeout=60000", "PRAGMA main.busy_timeout=0", 0},
		{"?_busy_timeout=60000", "select 1; pragma busy_timeout=-5", 0},
		{"?_busy_timeout=150", "pragma busy_timeout", 150 * time.Millisecond},
		{"?_busy_timeout=0", "pragma busy_timeout=150", 150 * time.Millisecond},
	} {
		for _, told := range []string{"Executed", "Executing and Executed"} {
			c, _ := openBare(t, path+test.dsn)
			if test.pragma != "" {
				if told != "Executed" {
					c.stop.Executing(test.pragma)
				}
				must(t, c.exec(test.pragma))
				c.stop.Executed(test.pragma)
			}
			start := time.Now()
			err := c.exec("insert into t values(1)")
			took := time.Since(start)
			if !isBusy(err) || c.stop.Interrupted(err) || took < test.want || took > test.want+2*time.Second {
				t.Errorf("%q, %q, %s: %v after %v", test.dsn, test.pragma, told, err, took)
			}
			must(t, c.Close())
		}
	}
}

// A time that the application has set keeps its effect, and its wait still
// ends with an interrupt.
func TestBusyTimeoutAtRunTimeCanBeInterrupted(t *testing.T) {
	path, _ := lockFile(t)
	c, _ := openBare(t, path+"?_busy_timeout=1")
	for _, set := range []string{"pragma busy_timeout=60000", "PRAGMA BUSY_TIMEOUT(70000)", "pragma busy_timeout = 0; pragma busy_timeout = 60000"} {
		must(t, c.exec(set))
		c.stop.Executed(set)
		wait := after(20*time.Millisecond, c.interrupt)
		start := time.Now()
		err := c.exec("insert into t values(1)")
		if took := time.Since(start); !c.stop.Interrupted(err) || !isBusy(err) || took > 2*time.Second {
			t.Errorf("%s: %v after %v", set, err, took)
		}
		wait()
		must(t, c.stop.Settle())
		if c.stop.Interrupted(err) {
			t.Error("Settle leaves something behind")
		}
	}
}

// The same through the shim, with an end of the context.
func TestBusyTimeoutAtRunTimeThroughTheShim(t *testing.T) {
	e := cancelAio(t, "_busy_timeout=1")
	blocker := e.conn()
	defer blocker.Close()
	_, err := blocker.ExecContext(cancelBackground, "begin immediate")
	must(t, err)
	c := e.conn()
	defer c.Close()
	_, err = c.ExecContext(cancelBackground, "pragma busy_timeout = 8000")
	must(t, err)
	ctx, cancel := context.WithTimeout(cancelBackground, 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = c.ExecContext(ctx, "insert into t values(1)")
	if took := time.Since(start); err != context.DeadlineExceeded || took > 2*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}

// PRAGMA busy_timeout returns what it returns bare.
func TestBusyTimeoutReadsAsBare(t *testing.T) {
	cancelCompare(t, "_busy_timeout=1234", func(e *cancelEnv) {
		c := e.conn()
		defer c.Close()
		var ms int
		for _, query := range []string{"pragma busy_timeout", "pragma busy_timeout = 77", "select * from pragma_busy_timeout",
			"pragma busy_timeout = -1", "PRAGMA Busy_Timeout", "pragma busy_timeout = 5; select 6", "pragma busy_timeout"} {
			e.say("%s: %v, %d", query, c.QueryRowContext(cancelBackground, query).Scan(&ms), ms)
			s, err := c.PrepareContext(cancelBackground, query)
			must(e, err)
			e.say("prepared: %v, %d", s.QueryRowContext(cancelBackground).Scan(&ms), ms)
			must(e, s.Close())
		}
	})
}

// What the shim is to call around such a statement keeps the values right.
func TestExecutingKeepsBusyTimeoutReadable(t *testing.T) {
	c, _ := openBare(t, ":memory:?_busy_timeout=1234")
	for query, want := range map[string]int64{"pragma busy_timeout": 1234, "PRAGMA BUSY_TIMEOUT=1234": 1234} {
		for range 3 {
			c.stop.Executing(query)
			got := c.number(query)
			c.stop.Executed(query)
			if got != want {
				t.Errorf("%s: %d", query, got)
			}
		}
	}
}

// StopWaiting ends a COMMIT's wait for the lock and leaves a statement that
// works alone.
func TestStopWaiting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	reader, _ := openBare(t, path)
	c, hook := openBare(t, path+"?_busy_timeout=60000")
	rows := reader.query("select 1 from sqlite_schema")
	must(t, rows.Next(make([]driver.Value, 1)))
	must(t, c.exec("begin; insert into t values(1)"))
	start := time.Now() // before the timer's, or the wait may seem too short
	wait := after(50*time.Millisecond, c.stop.StopWaiting)
	err := c.exec("commit") // waits for the reader
	if took := time.Since(start); !isBusy(err) || !c.stop.Interrupted(err) || took > 2*time.Second || took < 50*time.Millisecond {
		t.Errorf("COMMIT: %v after %v", err, took)
	}
	if !c.stop.InTransaction() {
		t.Error("no transaction is open")
	}
	wait()
	must(t, c.stop.Settle())
	must(t, rows.Close())
	*hook = c.stop.StopWaiting
	must(t, c.exec(fmt.Sprintf("insert into t select x from %s limit 20000", cancelEndless)))
	must(t, c.exec("insert into t select hook() from "+cancelEndless[:len(cancelEndless)-1]+" limit 20000)"))
	must(t, c.exec("commit"))
	must(t, c.stop.Settle())
	if n := reader.number("select count(*) from t"); n != 40001 {
		t.Errorf("%d rows", n)
	}
}

// An interrupt that came before the wait ends it as well.
func TestInterruptBeforeTheWaitForTheLock(t *testing.T) {
	path, release := lockFile(t)
	c, _ := openBare(t, path+"?_busy_timeout=60000")
	for _, stop := range []func(){c.interrupt, c.stop.StopWaiting} {
		stop()
		start := time.Now()
		if err := c.exec("begin immediate"); !c.stop.Interrupted(err) || time.Since(start) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		must(t, c.stop.Settle())
	}
	release()
	must(t, c.exec("begin immediate; commit"))
}

func TestMentionsBusyTimeout(t *testing.T) {
	for query, want := range map[string]bool{
		"": false, "_": false, "busy_timeou": false, "usy_timeout": false, "select user_id, busy_time from a_b_c": false,
		"busy_timeout": true, "PRAGMA busy_timeout": true, "pragma main.BUSY_TIMEOUT=5": true, `pragma "Busy_Timeout"`: true,
		"select * from pragma_busy_timeout": true, "select a_b; pragma busy_timeout(1); select c_d": true, "busy busy_busy_timeout": true,
	} {
		if got := adapter.MentionsBusyTimeout(query); got != want {
			t.Errorf("%q: %t", query, got)
		}
	}
}

func BenchmarkMentionsBusyTimeout(b *testing.B) {
	for name, query := range map[string]string{
		"none":   "select id, name, email from users where id = ?",
		"snake":  "insert into order_items (order_id, product_id, unit_price, quantity) values (?, ?, ?, ?)",
		"pragma": "pragma busy_timeout = 5000",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				adapter.MentionsBusyTimeout(query)
			}
		})
	}
}
