package driver_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// A counter counts the hops of one connection.
type counter struct{ w *threadpin.Worker }

func countHops(t testing.TB, conn *sql.Conn) counter {
	t.Helper()
	w, err := aio.Thread(conn)
	must(t, err)
	return counter{w}
}

// of returns how many hops call costs, those included that it has begun and
// not waited for.
func (c counter) of(call func()) int {
	before := c.runs()
	call()
	return c.runs() - before - 1
}

// runs waits until the worker is idle, which is a hop itself.
func (c counter) runs() int {
	c.w.Run(context.Background(), func() {})
	return int(c.w.Stats().Run)
}

// A hopCase is one call of an application. prepare, which is not counted,
// returns the call and what cleans up after it.
type hopCase struct {
	name string
	want int
	rows bool // the call closes rows
	call func(t testing.TB, ctx context.Context, conn *sql.Conn) (call, after func())
}

// simple is a case without preparation.
func simple(name string, want int, call func(t testing.TB, ctx context.Context, conn *sql.Conn)) hopCase {
	return hopCase{name: name, want: want, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		return func() { call(t, ctx, conn) }, func() {}
	}}
}

// closing says that the call closes rows. A driver that can describe columns has
// its rows open until then, since they may be asked for: that is another hop,
// unless the hop that has read them is still under way.
func closing(c hopCase) hopCase {
	c.rows = true
	return c
}

// describes reports whether rows of the fake driver can describe their columns.
func describes(f dt.Features) bool { return f&dt.ColumnTypes != 0 }

func values(n int) []any {
	list := make([]any, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// marks is "? ? ?" for n arguments.
func marks(n int) string { return string(bytes.Repeat([]byte("? "), n)) }

// hopCases lists what is one hop with every driver.
func hopCases() []hopCase {
	var list []hopCase
	for _, n := range []int{0, 1, 20} {
		for _, skip := range []string{"", "skip "} {
			list = append(list,
				simple(fmt.Sprintf("%sExec, %d arguments", skip, n), 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) {
					must(t, execute(ctx, conn, skip+"affected 1 id 2 "+marks(n), values(n)...))
				}),
				closing(simple(fmt.Sprintf("%sQuery, %d arguments", skip, n), 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) {
					queryOne(t, ctx, conn, skip+"sets 1x1 "+marks(n), values(n)...)
				})))
		}
		list = append(list,
			preparedHops(fmt.Sprintf("prepared Exec, %d arguments", n), n, func(t testing.TB, ctx context.Context, s *sql.Stmt) {
				_, err := s.ExecContext(ctx, values(n)...)
				must(t, err)
			}),
			closing(preparedHops(fmt.Sprintf("prepared Query, %d arguments", n), n, func(t testing.TB, ctx context.Context, s *sql.Stmt) {
				rows, err := s.QueryContext(ctx, values(n)...)
				must(t, err)
				scanOne(t, rows)
			})))
	}
	return append(list,
		closing(simple("QueryRow", 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) {
			var id int
			var rest any
			must(t, conn.QueryRowContext(ctx, "rows 1").Scan(&id, &rest, &rest, &rest, &rest, &rest, &rest))
		})),
		closing(simple("Query without rows", 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) {
			must(t, readAllRows(ctx, conn, "rows 0"))
		})),
		simple("Query that fails", 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) {
			if _, err := conn.QueryContext(ctx, "fail"); err == nil {
				t.Error("did not fail")
			}
		}),
		hopCase{name: "Prepare", want: 1, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			var s *sql.Stmt
			return func() { s = prepare(t, ctx, conn, "noop") }, func() { must(t, s.Close()) }
		}},
		hopCase{name: "Stmt.Close", want: 1, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			s := prepare(t, ctx, conn, "noop")
			return func() { must(t, s.Close()) }, func() {}
		}},
		hopCase{name: "Begin", want: 1, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			var tx *sql.Tx
			return func() { tx = begin(t, ctx, conn) }, func() { must(t, tx.Rollback()) }
		}},
		ending("Commit", (*sql.Tx).Commit),
		ending("Rollback", (*sql.Tx).Rollback),
		hopCase{name: "ColumnTypes", want: 0, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
			rows, err := conn.QueryContext(ctx, "rows 1")
			must(t, err)
			return func() {
					for range 2 {
						_, err := rows.ColumnTypes()
						must(t, err)
					}
				},
				func() { must(t, rows.Close()) }
		}},
		simple("Raw", 1, func(t testing.TB, ctx context.Context, conn *sql.Conn) { number(t, conn) }),
	)
}

func preparedHops(name string, n int, call func(t testing.TB, ctx context.Context, s *sql.Stmt)) hopCase {
	return hopCase{name: name, want: 1, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		s := prepare(t, ctx, conn, "rows 1 "+marks(n))
		return func() { call(t, ctx, s) }, func() { must(t, s.Close()) }
	}}
}

func ending(name string, end func(*sql.Tx) error) hopCase {
	return hopCase{name: name, want: 1, call: func(t testing.TB, ctx context.Context, conn *sql.Conn) (func(), func()) {
		tx := begin(t, ctx, conn)
		return func() { must(t, end(tx)) }, func() {}
	}}
}

func prepare(t testing.TB, ctx context.Context, conn *sql.Conn, query string) *sql.Stmt {
	t.Helper()
	s, err := conn.PrepareContext(ctx, query)
	must(t, err)
	return s
}

func begin(t testing.TB, ctx context.Context, conn *sql.Conn) *sql.Tx {
	t.Helper()
	tx, err := conn.BeginTx(ctx, nil)
	must(t, err)
	return tx
}

func queryOne(t testing.TB, ctx context.Context, q queryer, query string, args ...any) {
	t.Helper()
	rows, err := q.QueryContext(ctx, query, args...)
	must(t, err)
	scanOne(t, rows)
}

// scanOne reads the only row of a result.
func scanOne(t testing.TB, rows *sql.Rows) {
	t.Helper()
	n := 0
	for rows.Next() {
		n++
		columns, err := rows.Columns()
		must(t, err)
		dest := make([]any, len(columns))
		for i := range dest {
			dest[i] = new(any)
		}
		must(t, rows.Scan(dest...))
	}
	must(t, rows.Err())
	must(t, rows.Close())
	if n != 1 {
		t.Errorf("%d rows", n)
	}
}

// readAllRows reads a result and asks for nothing else.
func readAllRows(ctx context.Context, q queryer, query string) error {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return rows.Close()
}

// TestOneHopPerCall makes each call with each kind of driver and context.
func TestOneHopPerCall(t *testing.T) {
	kinds := []dt.Features{dt.Minimal, dt.Legacy, dt.Modern, dt.Full, dt.LikeSQLite, dt.LikeMySQL}
	header := []any{"call"}
	for _, f := range kinds {
		header = append(header, f)
	}
	header = append(header, "with adapter")
	for name, ctx := range contexts(t) {
		tab := harness.NewTable(header...)
		for _, c := range hopCases() {
			row := []any{c.name + ", " + name}
			for _, f := range kinds {
				row = append(row, hopsOf(t, setups[1], f, ctx, c, 0))
			}
			tab.Row(append(row, hopsOf(t, setups[2], dt.Full, ctx, c, 0))...)
		}
		tab.Print(t)
	}
}

// hopsOf measures again when the scheduler held a call up: slow rows, of which
// the caller may not want another, are another hop.
func hopsOf(t *testing.T, s setup, f dt.Features, ctx context.Context, c hopCase, try int) (n int) {
	again := false
	want, most := c.want, c.want
	switch {
	case !describes(f):
	case c.name == "ColumnTypes":
		want, most = 1, 1
	case c.rows && s.name == setups[1].name:
		most++ // the adapter of setups[2] has a QuietEnd
	}
	t.Run(fmt.Sprint(s.name, "/", f, "/", c.name), func(t *testing.T) {
		_, db := s.start(t, f)
		conn, err := db.Conn(ctx)
		must(t, err)
		defer conn.Close()
		hops := countHops(t, conn)
		call, after := c.call(t, ctx, conn)
		defer after()
		start := time.Now()
		n = hops.of(call)
		if n < want || n > most {
			if time.Since(start) > time.Millisecond && try < 100 {
				again = true
				return
			}
			t.Errorf("%d hops, want %d to %d", n, want, most)
		}
	})
	if again {
		return hopsOf(t, s, f, ctx, c, try+1)
	}
	return n
}

func TestPingIsOneHopIfTheDriverHasIt(t *testing.T) {
	for f, want := range map[dt.Features]int{dt.Minimal: 0, dt.Pinger: 1, dt.Modern: 1} {
		_, db := open(t, f)
		conn, err := db.Conn(context.Background())
		must(t, err)
		defer conn.Close()
		if n := countHops(t, conn).of(func() { must(t, conn.PingContext(context.Background())) }); n != want {
			t.Errorf("%v: %d hops, want %d", f, n, want)
		}
	}
}

// TestResetSessionIsAHopOfItsOwn: its answer decides whether the connection
// gets the call.
func TestResetSessionIsAHopOfItsOwn(t *testing.T) {
	for f, want := range map[dt.Features]int{
		dt.Legacy:                      1,
		dt.Legacy | dt.Validator:       1,
		dt.Legacy | dt.SessionResetter: 2,
		dt.Modern:                      2,
		dt.Modern &^ dt.Validator:      2,
	} {
		t.Run(f.String(), func(t *testing.T) {
			_, db := open(t, f)
			db.SetMaxOpenConns(1)
			conn, err := db.Conn(context.Background())
			must(t, err)
			hops := countHops(t, conn)
			must(t, conn.Close())
			for range 3 {
				n := hops.of(func() {
					_, err := db.Exec("noop ?", 1)
					must(t, err)
				})
				if n != want {
					t.Errorf("%d hops for an Exec on a pooled connection, want %d", n, want)
				}
			}
		})
	}
}

// TestScanCostsAHopPerBatch counts a whole scan, the query and its end included.
func TestScanCostsAHopPerBatch(t *testing.T) {
	const most = 12
	tab := harness.NewTable("1000 rows", "Background", "cancellable")
	for _, s := range setups[1:] {
		for _, query := range []string{"rows 1000", "rows 1000 size 100", "rows 1000 size 100 reuse",
			"rows 1000 slow 50us", "skip rows 1000"} {
			row := []any{s.name + ": " + query}
			for _, name := range []string{"Background", "cancellable"} {
				_, db := s.start(t, dt.Modern)
				conn, err := db.Conn(context.Background())
				must(t, err)
				n := countHops(t, conn).of(func() { must(t, readAllRows(contexts(t)[name], conn, query)) })
				row = append(row, n)
				if n > most {
					t.Errorf("%s, %s: %s: %d hops, want at most %d", s.name, name, query, n, most)
				}
				must(t, conn.Close())
			}
			tab.Row(row...)
		}
	}
	tab.Print(t)
}

// TestQueuedCallEndsABatch: a call of the connection waits for a slow row, not
// for a slow batch.
func TestQueuedCallEndsABatch(t *testing.T) {
	d, db := open(t, dt.Modern)
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	w, err := aio.Thread(conn)
	must(t, err)
	rows, err := conn.QueryContext(context.Background(), "rows 1000 slow 3ms")
	must(t, err)
	defer rows.Close()
	for range 20 { // into the batches that grow
		rows.Next()
	}
	must(t, w.Run(context.Background(), func() {}))
	if n := d.Count("Rows.Next"); n > 50 {
		t.Errorf("the call waited until %d rows were read", n)
	}
}

// TestStrictModeReadsOnDemand: with WithBatch(1, 1) the driver is asked for a
// row when the application asks, and for one only.
func TestStrictModeReadsOnDemand(t *testing.T) {
	for _, s := range setups {
		d, db := s.start(t, dt.Modern, aio.WithBatch(1, 1))
		conn, err := db.Conn(context.Background())
		must(t, err)
		hops := countHops(t, conn)
		var rows *sql.Rows
		step := func(name string, wantHops, mostHops, wantNexts int, call func()) {
			t.Helper()
			if n := hops.of(call); n < wantHops || n > mostHops {
				t.Errorf("%s: %s: %d hops, want %d to %d", s.name, name, n, wantHops, mostHops)
			}
			if n := d.Count("Rows.Next"); n != wantNexts {
				t.Errorf("%s: after %s the driver was asked for %d rows, want %d", s.name, name, n, wantNexts)
			}
		}
		step("Query", 1, 1, 0, func() {
			rows, err = conn.QueryContext(context.Background(), "rows 10")
			must(t, err)
		})
		for i := range 10 {
			step("a row", 1, 1, i+1, func() {
				if !rows.Next() {
					t.Error("no row")
				}
			})
		}
		// database/sql closes the rows at their end.
		step("the end", 1, 2, 11, func() {
			if rows.Next() {
				t.Error("a row too many")
			}
		})
		step("Close", 0, 0, 11, func() { must(t, rows.Close()) })
		must(t, conn.Close())
	}
}

// TestCallsOnTheThreadCostNoHop: a function that holds the thread may use it.
func TestCallsOnTheThreadCostNoHop(t *testing.T) {
	_, db := open(t, dt.Modern)
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	hops := countHops(t, conn)
	n := hops.of(func() {
		must(t, hops.w.Run(context.Background(), func() {
			must(t, everythingOn(context.Background(), conn))
		}))
	})
	if n != 1 {
		t.Errorf("%d hops", n)
	}
}
