package drivers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// eachEngine runs a test with an engine on every database.
func eachEngine(t *testing.T, test func(*testing.T, database, *overlay.Engine)) {
	eachDatabase(t, func(t *testing.T, d database) {
		e, err := overlay.Open(d.driver, d.dsn(t))
		must(t, err)
		defer func() { // also after a Skip
			ctx, cancel := context.WithTimeout(background, 20*time.Second)
			defer cancel()
			if err := e.Shutdown(ctx); ctx.Err() != nil { // else it is what closing a broken connection gives
				t.Error("Shutdown: ", err)
			}
		}()
		test(t, d, e)
	})
}

// await returns a future's value, which must come in time.
func await[T any](t testing.TB, f *overlay.Future[T]) T {
	t.Helper()
	v, err := awaitError(f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func awaitError[T any](f *overlay.Future[T]) (T, error) {
	ctx, cancel := context.WithTimeout(background, 20*time.Second)
	defer cancel()
	return f.Await(ctx)
}

func TestOverlayRows(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		r := await(t, e.ExecuteAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"))
		if r.ReturnsRows() {
			t.Error("CREATE TABLE returns rows")
		}
		r = await(t, e.ExecuteAsync(background, d.sql("INSERT INTO t SELECT i, ? FROM "+d.series(10000)), "name"))
		if r.RowCount() != 10000 {
			t.Error("inserted ", r.RowCount())
		}
		r = await(t, e.ExecuteAsync(background, "SELECT id, name FROM t ORDER BY id"))
		n := 0
		for row, err := range r.Rows(background) {
			must(t, err)
			var id int
			var name string
			must(t, row.Scan(&id, &name))
			if n++; id != n || name != "name" {
				t.Fatal(n, id, name)
			}
		}
		if n != 10000 {
			t.Error("rows: ", n)
		}
		// Left early: the connection is free again.
		for range 10 {
			for _, err := range await(t, e.ExecuteAsync(background, "SELECT id, name FROM t")).Rows(background) {
				must(t, err)
				break
			}
		}
		if n := await(t, overlay.Scalar[int](background, e, d.sql("SELECT count(*) FROM t WHERE id > ?"), 5)); n != 9995 {
			t.Error("counted ", n)
		}
	})
}

// The context of a query is over when its result is there: the rows stay.
func TestOverlayRowsOutliveTheirContext(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		ctx, cancel := context.WithCancel(background)
		r := await(t, e.QueryAsync(ctx, "SELECT i FROM "+d.series(10000)))
		cancel()
		time.Sleep(20 * time.Millisecond) // what watches the context gets its turn
		rows, err := awaitError(r.FetchAllAsync(background))
		if err != nil || len(rows) != 10000 {
			t.Errorf("%d rows, %v", len(rows), err)
		}
	})
}

func TestOverlayTwoResults(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		must(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			a := await(t, c.QueryAsync(ctx, "SELECT i FROM "+d.series(3000)))
			b := await(t, c.QueryAsync(ctx, "SELECT -i FROM "+d.series(3000)))
			for i := range 3000 {
				for sign, r := range map[int]*overlay.Result{1: a, -1: b} {
					var n int
					if row := await(t, r.FetchOneAsync(ctx)); row.Scan(&n) != nil || n != sign*(i+1) {
						t.Fatalf("row %d is %v", i, row.Values())
					}
				}
			}
			await(t, a.CloseAsync(ctx))
			await(t, b.CloseAsync(ctx))
			return nil
		}))
	})
}

func TestOverlayTransactions(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		await(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY)"))
		insert := func(c *overlay.Conn, id int) error {
			_, err := awaitError(c.ExecAsync(background, d.sql("INSERT INTO t VALUES (?)"), id))
			return err
		}
		enough := errors.New("enough")
		must(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, insert(c, 1))
			must(t, c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error { return insert(c, 2) }))
			err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				must(t, insert(c, 3))
				if err := insert(c, 1); err == nil { // PostgreSQL refuses all else until the savepoint
					t.Error("twice the same key")
				}
				return enough
			})
			if err != enough || !c.InTransaction() {
				t.Error(err, c.InTransaction())
			}
			return insert(c, 4)
		}))
		if err := e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, insert(c, 5))
			return enough
		}); err != enough {
			t.Error(err)
		}
		var ids []int
		for row, err := range await(t, e.QueryAsync(background, "SELECT id FROM t ORDER BY id")).Rows(background) {
			must(t, err)
			var id int
			must(t, row.Scan(&id))
			ids = append(ids, id)
		}
		if !slices.Equal(ids, []int{1, 2, 4}) {
			t.Error(ids)
		}
	})
}

// Nothing is left of a transaction whose commit failed.
func TestOverlayFailedCommit(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		await(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY)"))
		await(t, e.ExecAsync(background, "CREATE TABLE u (t INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)"))
		must(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			for range 3 {
				err := c.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
					_, err := awaitError(c.ExecAsync(ctx, "INSERT INTO u VALUES (7)"))
					must(t, err)
					return nil
				})
				if err == nil || !strings.Contains(strings.ToLower(err.Error()), "foreign key") {
					t.Errorf("the commit: %v", err)
				}
				if n := await(t, overlay.Scalar[int](ctx, c, "SELECT count(*) FROM u")); n != 0 {
					t.Errorf("%d rows are left", n)
				}
			}
			return nil
		}))
	})
}

// A call that runs is stopped by its context, its deadline and Cancel, with their error
// or the driver's; the engine goes on.
func TestOverlayCancel(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		for round := range 3 {
			for name, begin := range map[string]func() (*overlay.Future[*overlay.Result], func()){
				"context": func() (*overlay.Future[*overlay.Result], func()) {
					ctx, cancel := context.WithCancel(background)
					return e.ExecuteAsync(ctx, d.endless()), cancel
				},
				"deadline": func() (*overlay.Future[*overlay.Result], func()) {
					ctx, cancel := context.WithTimeout(background, 30*time.Millisecond)
					t.Cleanup(cancel)
					return e.ExecuteAsync(ctx, d.endless()), func() {}
				},
				"Cancel": func() (*overlay.Future[*overlay.Result], func()) {
					f := e.ExecuteAsync(background, d.endless())
					return f, func() { f.Cancel() }
				},
			} {
				f, cancel := begin()
				time.Sleep(20 * time.Millisecond)
				start := time.Now()
				cancel()
				_, err := awaitError(f)
				if took := time.Since(start); err == nil || took > 5*time.Second {
					t.Errorf("%s: %v after %v", name, err, took)
				}
				if round == 0 {
					t.Logf("%s: %v (%T)", name, err, err)
				}
				if n := await(t, overlay.Scalar[int](background, e, "SELECT 1")); n != 1 {
					t.Error(n)
				}
			}
		}
	})
}

// A loop over rows that do not come ends with its context, and frees the connection.
func TestOverlayCancelRows(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		if d.name == "modernc" {
			t.Skip("it does not interrupt rows that are being read")
		}
		await(t, e.ExecAsync(background, "CREATE TABLE t (i INTEGER)"))
		await(t, e.ExecAsync(background, "INSERT INTO t SELECT i FROM "+d.series(1001)))
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		r := await(t, e.StreamAsync(background, "SELECT i, '"+strings.Repeat("x", 100)+
			"', CASE WHEN i > 1000 THEN (SELECT count(*) FROM t a, t b, t c, t d, t e) END FROM t"))
		n, started := 0, time.Now()
		var last error
		for _, err := range r.Rows(ctx) {
			if last = err; err == nil {
				if n++; n == 256 {
					time.AfterFunc(20*time.Millisecond, cancel)
				}
			}
		}
		if last == nil || time.Since(started) > 10*time.Second {
			t.Errorf("%d rows, %v after %v", n, last, time.Since(started))
		}
		t.Logf("%d rows, then %v", n, last)
		if _, err := awaitError(r.CloseAsync(background)); err != nil {
			t.Error("Close: ", err)
		}
	})
}

// A stream that is closed early does not cost the transaction that it is part of.
func TestOverlayStreamInTransaction(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		await(t, e.ExecAsync(background, "CREATE TABLE t (id INTEGER PRIMARY KEY)"))
		must(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			for id := range 3 {
				await(t, c.ExecAsync(ctx, d.sql("INSERT INTO t VALUES (?)"), id))
				for _, err := range await(t, c.StreamAsync(ctx, "SELECT a.id FROM t a, "+d.series(10000))).Rows(ctx) {
					must(t, err)
					break
				}
			}
			return nil
		}))
		if n := await(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM t")); n != 3 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestOverlayTables(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		other, make := "other", []string{"ATTACH ':memory:' AS other"}
		if d.postgres {
			other = fmt.Sprintf("sqlaio_other_%d_%d", time.Now().UnixNano(), made.Add(1))
			make = []string{"CREATE SCHEMA " + other}
			defer func() { await(t, e.ExecAsync(background, "DROP SCHEMA "+other+" CASCADE")) }()
		}
		make = append(make, "CREATE TABLE b (x INTEGER)", `CREATE TABLE "a Quoted" (x INTEGER)`, "CREATE VIEW v AS SELECT 1 AS one",
			"CREATE TEMP TABLE passing (x INTEGER)", "CREATE TABLE "+other+".elsewhere (x INTEGER)")
		if d.postgres {
			make = append(make, "CREATE MATERIALIZED VIEW m AS SELECT 1 AS one", "CREATE TABLE parts (x INTEGER) PARTITION BY RANGE (x)",
				"CREATE INDEX i ON b (x)", "CREATE SEQUENCE q")
		}
		must(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			for _, statement := range make {
				await(t, c.ExecAsync(ctx, statement))
			}
			on := overlay.On(c)
			has := func(want bool, name string, opts ...overlay.TableOption) {
				t.Helper()
				if got := await(t, e.HasTableAsync(ctx, name, append(opts, on)...)); got != want {
					t.Errorf("%s: %v", name, got)
				}
			}
			names := func(want []string, opts ...overlay.TableOption) {
				t.Helper()
				if got := await(t, e.TableNamesAsync(ctx, append(opts, on)...)); !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
			has(true, "b")
			has(true, "a Quoted")
			has(true, "v")
			has(true, "passing")
			has(false, "missing")
			has(false, "elsewhere")
			has(true, "elsewhere", overlay.InSchema(other))
			has(false, "b", overlay.InSchema(other))
			has(false, "b'; DROP TABLE b; --")
			names([]string{"elsewhere"}, overlay.InSchema(other))
			if !d.postgres {
				names([]string{"a Quoted", "b"})
				return nil
			}
			has(true, "m")
			has(true, "parts")
			has(false, "i")
			has(false, "q")
			has(false, "b", overlay.InSchema("no such schema"))
			names([]string{"a Quoted", "b", "parts"})
			names(nil, overlay.InSchema("no such schema"))
			return nil
		}))
	})
}

func TestOverlayRunInThread(t *testing.T) {
	eachEngine(t, func(t *testing.T, d database, e *overlay.Engine) {
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		n := await(t, overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (n int, err error) {
			rows, err := c.QueryContext(ctx, "SELECT i FROM "+d.series(2000))
			if err != nil {
				return 0, err
			}
			defer rows.Close()
			for rows.Next() {
				n++
			}
			return n, rows.Err()
		}))
		if n != 2000 {
			t.Error(n)
		}
		ctx, cancel = context.WithTimeout(background, 30*time.Millisecond)
		defer cancel()
		_, err := awaitError(overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			_, err := c.ExecContext(ctx, d.endless())
			return 0, err
		}))
		if err == nil {
			t.Error("endless ends")
		}
	})
}
