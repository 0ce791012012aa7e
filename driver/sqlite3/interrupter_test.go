//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/mattn/go-sqlite3"

	adapter "github.com/sqlaio/sqlaio/driver/sqlite3"
)

// A bareConn is a connection of go-sqlite3 with an interrupter of its own, so
// that a test decides when it is interrupted and settled.
type bareConn struct {
	testing.TB
	*sqlite3.SQLiteConn
	stop *adapter.Interrupter
}

// openBare opens a database with table t and the SQL function hook(), which calls
// the function that comes with it.
func openBare(t testing.TB, dsn string) (c bareConn, hook *func()) {
	t.Helper()
	hook = new(func())
	d := &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("hook", func() int { (*hook)(); return 1 }, false)
	}}
	conn, err := d.Open(dsn)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	c = bareConn{t, conn.(*sqlite3.SQLiteConn), adapter.InterrupterOf(conn)}
	if c.stop == nil {
		t.Fatal("no interrupter")
	}
	must(t, c.exec("create table if not exists t(x)"))
	return c, hook
}

func (c bareConn) exec(query string) error {
	_, err := c.ExecContext(context.Background(), query, nil)
	return err
}

func (c bareConn) query(query string) driver.Rows {
	c.Helper()
	rows, err := c.QueryContext(context.Background(), query, nil)
	must(c, err)
	return rows
}

// number returns the first value of a query.
func (c bareConn) number(query string) int64 {
	c.Helper()
	rows := c.query(query)
	defer rows.Close()
	dest := make([]driver.Value, len(rows.Columns()))
	must(c, rows.Next(dest))
	return dest[0].(int64)
}

// interrupt calls Interrupt as the shim does, in a goroutine of its own, and
// waits for it.
func (c bareConn) interrupt() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.stop.Interrupt(context.Background())
	}()
	<-done
}

// An interrupt stops everything until it is settled, and nothing afterwards, and
// needs no repetition for a statement that is at work.
func TestInterruptHoldsUntilSettled(t *testing.T) {
	c, hook := openBare(t, ":memory:")
	for range 3 {
		*hook = c.interrupt
		for range 3 {
			err := c.exec("select count(*) from " + cancelEndless + " where hook() or x > 0")
			if !c.stop.Interrupted(err) {
				t.Fatalf("got %v", err)
			}
			*hook = func() {}
		}
		must(t, c.stop.Settle())
		if n := c.number("select count(*) from " + cancelEndless[:len(cancelEndless)-1] + " limit 100000)"); n != 100000 {
			t.Errorf("%d rows after Settle", n)
		}
	}
}

// SQLite asks also when a statement has just ended. One that is committed by then
// must not be reported as stopped.
func TestInterruptAfterTheLastStepStopsNothing(t *testing.T) {
	wide := "insert into wide values(hook()" + strings.Repeat(", 1", 1499) + ")"
	for _, prepared := range []bool{false, true} {
		for _, openRows := range []int{0, 2} {
			t.Run(fmt.Sprintf("prepared=%t,openRows=%d", prepared, openRows), func(t *testing.T) {
				c, hook := openBare(t, ":memory:")
				var columns []string
				for i := range 1500 {
					columns = append(columns, fmt.Sprintf("c%d", i))
				}
				must(t, c.exec("create table wide("+strings.Join(columns, ",")+")"))
				*hook = func() {}
				insert := func() error { return c.exec(wide) }
				want := int64(0)
				if prepared {
					s, err := c.Prepare(wide)
					must(t, err)
					defer s.Close()
					insert = func() error { _, err := s.Exec(nil); return err }
					must(t, insert())
					want++
				}
				var rows []driver.Rows
				for range openRows {
					rows = append(rows, c.query("select x from "+cancelEndless+" limit 3"))
					must(t, rows[len(rows)-1].Next(make([]driver.Value, 1)))
				}
				for range 20 {
					*hook = c.interrupt
					err := insert()
					must(t, c.stop.Settle())
					*hook = func() {}
					if err == nil {
						want++
					}
					if got := c.number("select count(*) from wide"); got != want {
						t.Fatalf("%v, and %d rows instead of %d", err, got, want)
					}
				}
				for _, r := range rows {
					for range 2 {
						must(t, r.Next(make([]driver.Value, 1)))
					}
					must(t, r.Close())
				}
				if want < 20 {
					t.Errorf("%d inserts were stopped, so this has tested nothing", 20-want)
				}
			})
		}
	}
}

// A query is stopped in a later step of its rows, too, with other rows open and
// statements around that were run before.
func TestInterruptInALaterRow(t *testing.T) {
	c, hook := openBare(t, ":memory:")
	*hook = func() {}
	s, err := c.Prepare("insert into t values(hook())")
	must(t, err)
	defer s.Close()
	_, err = s.Exec(nil)
	must(t, err)
	others := c.query("select x from " + cancelEndless + " limit 3")
	must(t, others.Next(make([]driver.Value, 1)))
	rows := c.query("select 1 union all select count(*) from " + cancelEndless + " where hook() or x > 0")
	dest := make([]driver.Value, 1)
	must(t, rows.Next(dest))
	*hook = c.interrupt
	if err := rows.Next(dest); !c.stop.Interrupted(err) {
		t.Errorf("got %v", err)
	}
	rows.Close()
	must(t, c.stop.Settle())
	must(t, others.Next(dest))
	must(t, others.Next(dest))
	if err := others.Next(dest); err != io.EOF {
		t.Errorf("the other rows end with %v", err)
	}
	must(t, others.Close())
}

// A text of many statements that are too short to be asked in is stopped
// between two of them once it is interrupted there.
func TestInterruptBetweenShortStatements(t *testing.T) {
	c, hook := openBare(t, ":memory:")
	*hook = func() {}
	must(t, c.exec("begin"))
	must(t, c.exec("insert into t values(0)"))
	c.interrupt() // as if between two of the text's statements
	err := c.exec(strings.Repeat("insert into t values(1);", 100))
	if !c.stop.Interrupted(err) {
		t.Errorf("got %v", err)
	}
	must(t, c.stop.Settle())
	if n := c.number("select count(*) from t"); n != 0 || c.stop.InTransaction() {
		t.Errorf("%d rows, in a transaction: %t", n, c.stop.InTransaction())
	}
}

// After the connection was closed nothing of SQLite's is touched, whatever is
// called: the address sanitizer would see it.
func TestInterruptAfterClose(t *testing.T) {
	for range 100 {
		c, _ := openBare(t, ":memory:")
		c.interrupt()
		must(t, c.Close())
		c.interrupt()
		c.stop.StopWaiting()
		c.stop.Executing("pragma busy_timeout")
		c.stop.Executed("pragma busy_timeout")
		if c.stop.InTransaction() || c.stop.Interrupted(nil) {
			t.Error("says yes to something")
		}
		must(t, c.stop.Settle())
		c.interrupt()
	}
}

func TestInTransaction(t *testing.T) {
	c, hook := openBare(t, ":memory:")
	is := func(want bool, after string) {
		t.Helper()
		if got := c.stop.InTransaction(); got != want {
			t.Errorf("%t after %s", got, after)
		}
	}
	is(false, "opening")
	for _, step := range []struct {
		query string
		want  bool
	}{
		{"begin", true}, {"insert into t values(1)", true}, {"commit", false},
		{"savepoint a", true}, {"release a", false},
		{"begin; insert into t values(2)", true}, {"insert or rollback into u values(1)", true},
	} {
		if step.query == "insert or rollback into u values(1)" {
			must(t, c.exec("create table u(x unique); insert into u values(1)"))
			if err := c.exec(step.query); err == nil {
				t.Error("the constraint did not fail")
			}
			is(false, step.query)
			continue
		}
		must(t, c.exec(step.query))
		is(step.want, step.query)
	}
	must(t, c.exec("begin"))
	*hook = c.interrupt
	if err := c.exec("insert into t select x from " + cancelEndless + " where hook() or x > 0"); !c.stop.Interrupted(err) {
		t.Errorf("got %v", err)
	}
	is(false, "a write that was interrupted")
	must(t, c.stop.Settle())
	must(t, c.exec("begin"))
	must(t, c.Close())
	is(false, "Close")
}

func TestMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.db")
	for dsn, want := range map[string]bool{
		file: false, "file:" + file + "?cache=shared": false,
		"": true, ":memory:": true, "file:": true, "file:%3Amemory%3A": true, "file:x?mode=memory": true,
		"file:x?mode=memory&cache=shared": true, "file:x?vfs=memdb": true, "file:/x?vfs=memdb": true,
	} {
		c, _ := openBare(t, dsn)
		if got := c.stop.Memory(); got != want {
			t.Errorf("%q: %t", dsn, got)
		}
	}
}

func TestInterruptedKnowsItsErrors(t *testing.T) {
	c, _ := openBare(t, ":memory:")
	for _, test := range []struct {
		err  error
		want bool
	}{
		{nil, false}, {errors.New("interrupted"), false}, {sql.ErrNoRows, false},
		{sqlite3.Error{Code: sqlite3.ErrInterrupt}, true},
		{fmt.Errorf("wrapped: %w", sqlite3.Error{Code: sqlite3.ErrInterrupt}), true},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, false}, // no wait was ended
		{sqlite3.Error{Code: sqlite3.ErrConstraint}, false},
	} {
		if got := c.stop.Interrupted(test.err); got != test.want {
			t.Errorf("%v: %t", test.err, got)
		}
	}
}

func BenchmarkInTransaction(b *testing.B) {
	c, _ := openBare(b, ":memory:")
	for b.Loop() {
		if c.stop.InTransaction() {
			b.Fatal("in a transaction")
		}
	}
}

// BenchmarkProgressHandler is to be compared with the same query bare.
func BenchmarkProgressHandler(b *testing.B) {
	const query = "with recursive c(x) as (select 1 union all select x+1 from c where x < 300000) select count(*) from c"
	for _, name := range []string{"bare", "asked"} {
		b.Run(name, func(b *testing.B) {
			conn, err := (&sqlite3.SQLiteDriver{}).Open(":memory:")
			must(b, err)
			defer conn.Close()
			if name == "asked" {
				defer runtime.KeepAlive(adapter.InterrupterOf(conn))
			}
			for b.Loop() {
				_, err := conn.(driver.ExecerContext).ExecContext(context.Background(), query, nil)
				must(b, err)
			}
		})
	}
}
