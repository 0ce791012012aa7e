package drivers

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Calls that run are cancelled as the driver does it: with its error, and the
// connection is kept if the driver keeps it.
func TestCancelRunning(t *testing.T) {
	compare(t, func(e *env) {
		for _, ending := range []string{"cancel", "deadline"} {
			for i, call := range e.calls(e.endless()) {
				label := fmt.Sprint(ending, " call ", i)
				c, err := e.db.Conn(background)
				must(e.t, err)
				before := e.session(c)
				ctx, running := newEnding(ending)
				start := time.Now()
				over := e.whenRunning(before, running)
				e.err(label, call(ctx, c))
				over()
				e.flush()
				if took := time.Since(start); took > 5*time.Second {
					e.t.Errorf("%s: ended after %v", label, took)
				}
				e.stopped(before)
				e.query(label+" next", c, "SELECT 1")
				e.see(label+" same session", e.same(c, before))
				e.err(label+" close", c.Close())
				e.see(label+" open", e.db.Stats().OpenConnections)
			}
		}
	})
}

// ending is a context that ends, in one of two ways, when the program says so: a
// clock of its own might end a call before it has begun.
type ending struct {
	context.Context
	done chan struct{}
	why  error
}

func newEnding(how string) (ctx *ending, end func()) {
	c := &ending{background, make(chan struct{}), context.Canceled}
	if how == "deadline" {
		c.why = context.DeadlineExceeded
	}
	return c, sync.OnceFunc(func() { close(c.done) })
}

func (c *ending) Done() <-chan struct{} { return c.done }

func (c *ending) Err() error {
	select {
	case <-c.done:
		return c.why
	default:
		return nil
	}
}

// whenRunning calls end when the session runs a statement: on PostgreSQL when the
// server says so. The function returned ends the watch, and calls end in any case.
func (e *env) whenRunning(pid int, end func()) (over func()) {
	if !e.postgres {
		timer := time.AfterFunc(50*time.Millisecond, end)
		return func() { timer.Stop(); end() }
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer end()
		for {
			var n int
			err := e.db.QueryRow(`SELECT count(*) FROM pg_stat_activity
				WHERE state = 'active' AND pid = $1 AND query LIKE '%generate_series(1, 1000000)%' AND query_start < clock_timestamp() - interval '20 ms'`, pid).Scan(&n)
			if err != nil || n > 0 {
				return
			}
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// calls are all ways to run a query to its end.
func (e *env) calls(query string) []func(context.Context, session) error {
	exec := func(ctx context.Context, s session) error { _, err := s.ExecContext(ctx, query); return err }
	read := func(ctx context.Context, s session) error {
		rows, err := s.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
		}
		return rows.Err()
	}
	return []func(context.Context, session) error{
		exec, read,
		func(ctx context.Context, s session) error { return exec(ctx, prepared{s, e}) },
		func(ctx context.Context, s session) error { return read(ctx, prepared{s, e}) },
	}
}

// session marks the session of a connection.
func (e *env) session(c *sql.Conn) (pid int) {
	if !e.postgres {
		_, err := c.ExecContext(background, "CREATE TEMP TABLE IF NOT EXISTS mark (x)")
		must(e.t, err)
		return 0
	}
	must(e.t, c.QueryRowContext(background, "SELECT pg_backend_pid()").Scan(&pid))
	return pid
}

func (e *env) same(c *sql.Conn, pid int) bool {
	var now int
	if !e.postgres {
		return c.QueryRowContext(background, "SELECT count(*) FROM temp.mark").Scan(&now) == nil
	}
	return c.QueryRowContext(background, "SELECT pg_backend_pid()").Scan(&now) == nil && now == pid
}

// stopped waits until the session runs nothing any more.
func (e *env) stopped(pid int) {
	e.t.Helper()
	if !e.postgres {
		return
	}
	until(e.t, "the statement to stop", func() bool {
		var n int
		must(e.t, e.db.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid = $1", pid).Scan(&n))
		return n == 0
	})
}

// Rows end with the context of their query, whether the driver waits for a row
// or nobody does.
func TestCancelRows(t *testing.T) {
	compare(t, func(e *env) {
		if e.name == "modernc" {
			e.t.Skip("modernc.org/sqlite does not interrupt rows that are being read, bare neither")
		}
		for _, p := range []bool{false, true} {
			for _, waiting := range []bool{false, true} {
				label := fmt.Sprint("prepared ", p, " waiting ", waiting)
				c, err := e.db.Conn(background)
				must(e.t, err)
				before := e.session(c)
				var s session = c
				if p {
					s = prepared{c, e}
				}
				ctx, cancel := context.WithCancel(background)
				rows, err := s.QueryContext(ctx, e.late(1000))
				if e.err(label, err) {
					cancel()
					continue
				}
				n := 0
				for n < 800 && rows.Next() { // the server keeps the last ones back
					n++
				}
				e.see(label+" rows", n)
				if waiting {
					time.AfterFunc(20*time.Millisecond, cancel)
				} else {
					cancel()
				}
				start := time.Now()
				for rows.Next() {
				}
				e.see(label+" Err", rows.Err() != nil) // whose error, the driver's or database/sql's, is a race
				e.err(label+" Close", rows.Close())
				if took := time.Since(start); took > 5*time.Second {
					e.t.Errorf("%s: ended after %v", label, took)
				}
				e.flushed()
				e.stopped(before)
				e.see(label+" same session", e.same(c, before))
				e.err(label+" Conn.Close", c.Close())
			}
		}
		e.query("after", e.db, "SELECT 1")
	})
}

// flushed closes statements as flush does, but does not write down what comes of
// it: after a cancel that depends on the moment.
func (e *env) flushed() {
	for _, s := range e.prepared {
		s.Close()
	}
	e.prepared = nil
}

func TestContextEndedBefore(t *testing.T) {
	compare(t, func(e *env) {
		ctx, cancel := context.WithCancel(background)
		cancel()
		e.races = true
		e.eachSession(func(label string, s session) {
			for i, call := range e.calls("SELECT 1") {
				e.err(fmt.Sprint(label, " ", i), call(ctx, s))
			}
			e.flushed()
		})
		_, err := e.db.BeginTx(ctx, nil)
		e.err("BeginTx", err)
		e.err("Ping", e.db.PingContext(ctx))
		e.races = false
		e.query("after", e.db, "SELECT 1")
	})
}

// A transaction whose statement was cancelled.
func TestCancelInTransaction(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER)")
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			tx, err := e.db.Begin()
			must(e.t, err)
			e.exec("first", tx, "INSERT INTO t VALUES (1)")
			pid := 0
			if e.postgres {
				must(e.t, tx.QueryRow("SELECT pg_backend_pid()").Scan(&pid))
			}
			ctx, running := newEnding("deadline")
			over := e.whenRunning(pid, running)
			_, err = tx.ExecContext(ctx, e.endless())
			e.err("endless", err)
			over()
			_, err = tx.Exec("INSERT INTO t VALUES (2)")
			e.err("second", err)
			e.err("end", end(tx))
			e.query("after", e.db, "SELECT count(*) FROM t")
		}
	})
}

// Whenever a call is cancelled, it says so or has its result, and the next
// call is never hit.
func TestCancelStorm(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		db := d.open(t, true)
		db.SetMaxOpenConns(4)
		db.SetMaxIdleConns(4)
		rows := 3000
		if !d.postgres {
			rows = 100 // counted here, with the race detector on
		}
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				stopped := 0
				for n := range 40 {
					want := w*1000 + n
					ctx, cancel := context.WithTimeout(background, rand.N(4*time.Millisecond))
					var got, count int
					err := db.QueryRowContext(ctx, d.sql(fmt.Sprintf("SELECT CAST(? AS INTEGER), count(*) FROM %s", d.series(rows))), want).Scan(&got, &count)
					if ends, _ := ctx.Deadline(); err != nil && time.Now().Before(ends) {
						t.Error("before its deadline: ", err)
					}
					cancel()
					if err != nil {
						stopped++
					} else if got != want || count != rows {
						t.Errorf("got %d and %d rows, want %d and %d", got, count, want, rows)
					}
					if err := db.QueryRow(d.sql("SELECT CAST(? AS INTEGER)"), want).Scan(&got); err != nil || got != want {
						t.Errorf("the next call: %v, got %d, want %d", err, got, want)
					}
				}
				t.Logf("%d of 40 stopped", stopped)
			})
		}
		wg.Wait()
	})
}
