package overlay_test

import (
	"context"
	"database/sql"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A forced Shutdown leaves the closing of a connection alone that has been asked for.
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

// Shutdown and connecting may meet.
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

// Shutdown in a callback says that it would wait for itself.
func TestShutdownInACallback(t *testing.T) {
	e := oneLane(t)
	done := make(chan struct{})
	gate := make(chan struct{})
	f := overlay.RunInThread(background, e, func(context.Context, *sql.Conn) (int, error) { <-gate; return 0, nil })
	f.OnDone(func(int, error) {
		ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
		defer cancel()
		if err := e.Shutdown(ctx); err != overlay.ErrWouldDeadlock {
			t.Error(err)
		}
		close(done)
	})
	close(gate)
	within(t, "Shutdown(100ms) in an OnDone", done)
}
