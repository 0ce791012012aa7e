//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// thousand is a table of as many rows of five columns.
const thousand = `create table u(id integer primary key, name text, score real, data blob, at datetime);
	with recursive c(x) as (select 1 union all select x+1 from c where x < 1000)
	insert into u select x, 'name ' || x, x / 2.0, zeroblob(x % 20), datetime(x, 'unixepoch') from c`

// openConn returns the only connection of a DB that has the table u, and its worker.
func openConn(t testing.TB, opts ...aio.Option) (*sql.Conn, *threadpin.Worker) {
	t.Helper()
	c, err := aio.Wrap(&sqlite3.SQLiteDriver{}, opts...).(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "a.db"))
	must(t, err)
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.ExecContext(context.Background(), thousand)
	must(t, err)
	w, err := aio.Thread(conn)
	must(t, err)
	return conn, w
}

// hops returns how many hops call costs, those included that it has begun and
// not waited for. It waits before and after until the worker is idle.
func hops(w *threadpin.Worker, call func()) int {
	runs := func() int64 {
		w.Run(context.Background(), func() {})
		return w.Stats().Run
	}
	before := runs()
	call()
	return int(runs()-before) - 1
}

// A step is one call of an application. Some need another before them, which
// returns the call and what cleans up after it.
type step struct {
	name    string
	prepare func(t testing.TB, ctx context.Context, conn *sql.Conn) (call, after func())
}

func simple(name string, call func(t testing.TB, ctx context.Context, conn *sql.Conn)) step {
	return step{name, func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		return func() { call(t, ctx, conn) }, func() {}
	}}
}

func executing(query string, args ...any) func(testing.TB, context.Context, *sql.Conn) {
	return func(t testing.TB, ctx context.Context, conn *sql.Conn) {
		r, err := conn.ExecContext(ctx, query, args...)
		must(t, err)
		_, err = r.LastInsertId()
		must(t, err)
		_, err = r.RowsAffected()
		must(t, err)
	}
}

func querying(query string, args ...any) func(testing.TB, context.Context, *sql.Conn) {
	return func(t testing.TB, ctx context.Context, conn *sql.Conn) {
		rows, err := conn.QueryContext(ctx, query, args...)
		must(t, err)
		readOne(t, rows)
	}
}

func readOne(t testing.TB, rows *sql.Rows) {
	t.Helper()
	n := 0
	for rows.Next() {
		var v any
		must(t, rows.Scan(&v))
		n++
	}
	must(t, rows.Err())
	must(t, rows.Close())
	if n != 1 {
		t.Errorf("%d rows", n)
	}
}

// prepared is a step with a statement.
func prepared(name, query string, call func(t testing.TB, ctx context.Context, s *sql.Stmt)) step {
	return step{name, func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		s, err := conn.PrepareContext(ctx, query)
		must(t, err)
		return func() { call(t, ctx, s) }, func() { must(t, s.Close()) }
	}}
}

// ending is a step that ends a transaction.
func ending(name string, end func(*sql.Tx) error) step {
	return step{name, func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		tx, err := conn.BeginTx(ctx, nil)
		must(t, err)
		_, err = tx.ExecContext(ctx, "update u set name = 'x' where id = 1")
		must(t, err)
		return func() { must(t, end(tx)) }, func() {}
	}}
}

// in is "? in (?, …)" for n arguments, with 1 among them.
func in(n int) (condition string, args []any) {
	if n == 0 {
		return "1", nil
	}
	for i := range n {
		args = append(args, i+1)
	}
	return "id in (?" + strings.Repeat(", ?", n-1) + ")", args
}

// steps lists what is one hop.
func steps() []step {
	var list []step
	for _, n := range []int{0, 1, 20} {
		where, args := in(n)
		update := "update u set score = score + 1 where " + where
		count := "select count(*) from u where " + where
		list = append(list,
			simple(fmt.Sprintf("Exec, %d arguments", n), executing(update, args...)),
			simple(fmt.Sprintf("Query, %d arguments", n), querying(count, args...)),
			prepared(fmt.Sprintf("prepared Exec, %d arguments", n), update, func(t testing.TB, ctx context.Context, s *sql.Stmt) {
				_, err := s.ExecContext(ctx, args...)
				must(t, err)
			}),
			prepared(fmt.Sprintf("prepared Query, %d arguments", n), count, func(t testing.TB, ctx context.Context, s *sql.Stmt) {
				rows, err := s.QueryContext(ctx, args...)
				must(t, err)
				readOne(t, rows)
			}))
	}
	return append(list,
		simple("Exec, named argument", executing("update u set name = :n", sql.Named("n", "x"))),
		simple("Exec, two statements", executing("update u set name = 'a'; update u set name = 'b'")),
		simple("QueryRow", func(t testing.TB, ctx context.Context, conn *sql.Conn) {
			var name string
			must(t, conn.QueryRowContext(ctx, "select name from u where id = ?", 7).Scan(&name))
		}),
		simple("Ping", func(t testing.TB, ctx context.Context, conn *sql.Conn) { must(t, conn.PingContext(ctx)) }),
		step{"Prepare", func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			var s *sql.Stmt
			return func() {
				var err error
				s, err = conn.PrepareContext(ctx, "select ?")
				must(t, err)
			}, func() { must(t, s.Close()) }
		}},
		step{"Begin", func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			var tx *sql.Tx
			return func() {
				var err error
				tx, err = conn.BeginTx(ctx, nil)
				must(t, err)
			}, func() { must(t, tx.Rollback()) }
		}},
		ending("Commit", (*sql.Tx).Commit),
		ending("Rollback", (*sql.Tx).Rollback),
		step{"ColumnTypes", func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			rows, err := conn.QueryContext(ctx, "select * from u")
			must(t, err)
			return func() {
				for range 2 {
					_, err := rows.ColumnTypes()
					must(t, err)
				}
			}, func() { must(t, rows.Close()) }
		}},
	)
}

// TestOneHopPerCall measures again when the scheduler held a call up: slow
// rows, of which the caller may not want another, are another hop.
func TestOneHopPerCall(t *testing.T) {
	conn, w := openConn(t)
	tab := harness.NewTable("call", "Background", "cancellable")
	for _, s := range steps() {
		row := []any{s.name}
		for _, name := range []string{"Background", "cancellable"} {
			n, slow := 0, true
			for try := 0; n != 1 && slow && try < 100; try++ {
				call, after := s.prepare(t, contexts(t)[name], conn)
				start := time.Now()
				n = hops(w, call)
				slow = time.Since(start) > time.Millisecond
				after()
			}
			if n != 1 {
				t.Errorf("%s, %s: %d hops", s.name, name, n)
			}
			row = append(row, n)
		}
		tab.Row(row...)
	}
	tab.Print(t)
}

// TestPoolReuseCostsNoHop: go-sqlite3 has no ResetSession.
func TestPoolReuseCostsNoHop(t *testing.T) {
	db, err := sql.Open("aio", "sqlite3::memory:")
	must(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(context.Background())
	must(t, err)
	w, err := aio.Thread(conn)
	must(t, err)
	must(t, conn.Close())
	if n := hops(w, func() { _, err = db.Exec("select 1") }); n != 1 || err != nil {
		t.Errorf("%d hops, %v", n, err)
	}
}

// TestScanCostsAHopPerBatch counts a whole scan, the query and its end included.
func TestScanCostsAHopPerBatch(t *testing.T) {
	conn, w := openConn(t)
	tab := harness.NewTable("1000 rows", "Background", "cancellable")
	for _, query := range []string{"select * from u", "select id from u", "select *, zeroblob(1000) from u"} {
		row := []any{query}
		for _, name := range []string{"Background", "cancellable"} {
			n := hops(w, func() { scan(t, contexts(t)[name], conn, query) })
			if n > 12 {
				t.Errorf("%s, %s: %d hops, want at most 12", name, query, n)
			}
			row = append(row, n)
		}
		tab.Row(row...)
	}
	tab.Print(t)
}

// TestStrictModeReadsOnDemand: a hop a row, one for the query, one for the end.
func TestStrictModeReadsOnDemand(t *testing.T) {
	conn, w := openConn(t, aio.WithBatch(1, 1))
	n := hops(w, func() { scan(t, context.Background(), conn, "select * from u limit 100") })
	if n != 102 {
		t.Errorf("%d hops, want 102", n)
	}
}

// scan reads a result of any width.
func scan(t testing.TB, ctx context.Context, q interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}, query string) (all [][]any) {
	t.Helper()
	rows, err := q.QueryContext(ctx, query)
	must(t, err)
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		row, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range dest {
			dest[i] = &row[i]
		}
		must(t, rows.Scan(dest...))
		all = append(all, row)
	}
	must(t, rows.Err())
	must(t, rows.Close())
	return all
}

// TestValuesAreTheBareDrivers: what was read in batches is what the bare
// driver reads, of every type, from the same file.
func TestValuesAreTheBareDrivers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	var want [][]any
	for _, source := range [][2]string{{"sqlite3", path}, {"aio", "sqlite3:" + path}} {
		db, err := sql.Open(source[0], source[1])
		must(t, err)
		defer db.Close()
		if want == nil {
			_, err = db.Exec(thousand)
			must(t, err)
		}
		for _, query := range []string{"insert into u(name, score, data, at) values(?, ?, ?, ?)", "insert into u(name) values (:a)"} {
			args := []any{"n", 1.5, []byte("abc"), time.Unix(1e9, 0).UTC()}
			if strings.Contains(query, ":a") {
				args = []any{sql.Named("a", nil)}
			}
			_, err = db.Exec(query, args...)
			must(t, err)
		}
		got := scan(t, context.Background(), db, "select *, id * 2, null, x'', '' from u order by id limit 1002")
		if len(got) != 1002 {
			t.Errorf("%d rows", len(got))
		}
		if want == nil {
			want = got
		} else if !reflect.DeepEqual(got, want) {
			t.Error("the rows differ")
		}
	}
}
