package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// leftOpen is an engine of its own on the database, which the test shuts down.
func (db *testDB) leftOpen(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open(db.driver, db.dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func affected(r sql.Result) (int64, error) { return r.RowsAffected() }

// sleeping is a call that runs for long, which has begun.
func sleeping(t *testing.T, db *testDB, to overlay.Target) *overlay.Future[any] {
	t.Helper()
	started := make(chan struct{})
	f := overlay.RunInThread(db.ctx, to, func(ctx context.Context, c *sql.Conn) (v any, err error) {
		close(started)
		err = c.QueryRowContext(ctx, db.sleepyQuery).Scan(&v)
		return v, err
	})
	within(t, "the start of a call", started)
	return f
}

// Every call that was made before Shutdown is carried out.
func TestShutdownDrainsWhatWaits(t *testing.T) {
	onShared(t, func(t *testing.T, db *testDB) {
		db.people(t)
		e := db.leftOpen(t, overlay.WithLanes(1))
		release := occupy(t, e)
		var inserted []*overlay.Future[int64]
		for range 100 {
			inserted = append(inserted, overlay.Then(e.ExecAsync(db.ctx, insertPerson, "x"), affected))
		}
		if n := e.Stats().Queued; n != 100 {
			t.Errorf("%d calls wait, want 100", n)
		}
		drains := &seenContext{Context: db.ctx, seen: make(chan struct{})}
		shut := make(chan error, 1)
		go func() { shut <- e.Shutdown(drains) }()
		within(t, "Shutdown", drains.seen)
		wantError(t, failure(t, e.ExecAsync(db.ctx, insertPerson, "late")), overlay.ErrClosed)
		release()
		if err := <-shut; err != nil {
			t.Error(err)
		}
		for i, f := range inserted {
			if n, err, ok := f.TryResult(); n != 1 || err != nil || !ok {
				t.Fatalf("call %d after Shutdown: %d, %v, complete: %v", i, n, err, ok)
			}
		}
		db.wantPeople(t, 100)
	})
}

// When its context ends, what runs is interrupted and what waits refused.
func TestShutdownWithAnEndedContext(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		e := db.leftOpen(t, overlay.WithLanes(1))
		running := sleeping(t, db, e)
		queued := e.ExecAsync(db.ctx, "CREATE TABLE late (id INTEGER)")
		start := time.Now()
		if err := e.Shutdown(endedContext()); !errors.Is(err, context.Canceled) {
			t.Errorf("Shutdown returned %v, want its context's error", err)
		}
		soon(t, start)
		for name, done := range map[string]<-chan struct{}{"running": running.Done(), "queued": queued.Done()} {
			select {
			case <-done:
			default:
				t.Errorf("the call that was %s is not over after Shutdown", name)
			}
		}
		wantError(t, failure(t, running), overlay.ErrClosed)
		wantError(t, failure(t, queued), overlay.ErrClosed)
		wantTable(t, db, false, "late")
	})
}

// Likewise if the context ends while Shutdown waits.
func TestShutdownWhoseContextEnds(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		e := db.leftOpen(t)
		running := sleeping(t, db, e)
		ctx, cancel := context.WithCancel(db.ctx)
		drains := &seenContext{Context: ctx, seen: make(chan struct{})}
		shut := make(chan error, 1)
		go func() { shut <- e.Shutdown(drains) }()
		within(t, "Shutdown", drains.seen)
		if _, err, ok := running.TryResult(); ok {
			t.Fatal("the call was not waited for: ", err)
		}
		start := time.Now()
		cancel()
		wantError(t, <-shut, context.Canceled)
		soon(t, start)
		wantError(t, failure(t, running), overlay.ErrClosed)
	})
}

func TestShutdownRefusesLaterCalls(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		e := db.leftOpen(t)
		must(t, e.ScalarAsync(db.ctx, "SELECT 1"))
		if err := e.Shutdown(db.ctx); err != nil {
			t.Fatal(err)
		}
		nothing := func(context.Context, *overlay.Conn) error {
			t.Error("called after Shutdown")
			return nil
		}
		for name, err := range map[string]error{
			"ExecAsync":       failure(t, e.ExecAsync(db.ctx, "SELECT 1")),
			"QueryAsync":      failure(t, e.QueryAsync(db.ctx, "SELECT 1")),
			"ExecuteAsync":    failure(t, e.ExecuteAsync(db.ctx, "SELECT 1")),
			"ScalarAsync":     failure(t, e.ScalarAsync(db.ctx, "SELECT 1")),
			"BatchAsync":      failure(t, e.BatchAsync(db.ctx, []overlay.Statement{{Query: "SELECT 1"}})),
			"ExecManyAsync":   failure(t, e.ExecManyAsync(db.ctx, "SELECT 1", [][]any{nil})),
			"HasTableAsync":   failure(t, e.HasTableAsync(db.ctx, "people")),
			"TableNamesAsync": failure(t, e.TableNamesAsync(db.ctx)),
			"ConnectAsync":    failure(t, e.ConnectAsync(db.ctx)),
			"WithConn":        e.WithConn(db.ctx, nothing),
			"WithTx":          e.WithTx(db.ctx, nil, nothing),
			"RetryTx":         e.RetryTx(db.ctx, nil, nothing),
		} {
			if err != overlay.ErrClosed {
				t.Errorf("%s: error %v, want ErrClosed", name, err)
			}
		}
		if n := e.SyncDB().Stats().OpenConnections; n != 0 {
			t.Errorf("%d connections are open", n)
		}
		if err := e.SyncDB().Ping(); err == nil {
			t.Error("the database that Open has opened is not closed")
		}
	})
}

func TestShutdownTwice(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		e := db.leftOpen(t)
		release := occupy(t, e)
		drains := &seenContext{Context: db.ctx, seen: make(chan struct{})}
		shut := make(chan error, 1)
		go func() { shut <- e.Shutdown(drains) }()
		within(t, "Shutdown", drains.seen)
		// The second waits for the first, and gives up alone.
		wantError(t, e.Shutdown(endedContext()), context.Canceled)
		select {
		case err := <-shut:
			t.Fatal("the first is over: ", err)
		default:
		}
		release()
		if err := e.Shutdown(db.ctx); err != nil {
			t.Error("the second: ", err)
		}
		if err := <-shut; err != nil {
			t.Error("the first: ", err)
		}
		if err := e.Shutdown(db.ctx); err != nil {
			t.Error("after the first: ", err)
		}
	})
}

// Connections that were left open are closed: their transactions rolled back, their
// results ended.
func TestShutdownClosesConnections(t *testing.T) {
	onShared(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		e := db.leftOpen(t)
		c, idle := must(t, e.ConnectAsync(db.ctx)), must(t, e.ConnectAsync(db.ctx))
		must(t, c.BeginAsync(db.ctx, nil))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		r := must(t, c.QueryAsync(db.ctx, "SELECT id FROM people"))
		wantError(t, e.Shutdown(endedContext()), context.Canceled)
		for _, c := range []*overlay.Conn{c, idle} {
			if !c.Closed() {
				t.Error("a connection is open after Shutdown")
			}
			wantError(t, failure(t, c.ScalarAsync(db.ctx, "SELECT 1")), overlay.ErrClosed)
			must(t, c.CloseAsync(db.ctx))
		}
		if rows := must(t, r.FetchAllAsync(db.ctx)); len(rows) != 1001 { // they are in memory
			t.Errorf("%d rows", len(rows))
		}
		if n := e.SyncDB().Stats().OpenConnections; n != 0 {
			t.Errorf("%d connections are open", n)
		}
		db.wantPeople(t, 1000)
	})
}

// Without an end of its context Shutdown waits until they are closed.
func TestShutdownWaitsForConnections(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		e := db.leftOpen(t)
		c := must(t, e.ConnectAsync(db.ctx))
		drains := &seenContext{Context: db.ctx, seen: make(chan struct{})}
		shut := make(chan error, 1)
		go func() { shut <- e.Shutdown(drains) }()
		within(t, "Shutdown", drains.seen)
		if n := must(t, overlay.Scalar[int](db.ctx, c, "SELECT 2")); n != 2 {
			t.Error("an open connection is of no use during Shutdown")
		}
		select {
		case err := <-shut:
			t.Fatal("Shutdown did not wait: ", err)
		default:
		}
		db.close(t, c)
		if err := <-shut; err != nil {
			t.Error(err)
		}
	})
}
