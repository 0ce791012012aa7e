package drivers

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestExec(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL)")
		id := 0
		e.eachSession(func(label string, s session) {
			for range 3 {
				id++
				e.exec(label, s, "INSERT INTO t (id, name) VALUES (?, ?)", id, "name")
			}
			e.exec(label, s, "UPDATE t SET name = 'other' WHERE id > ?", 2)
			e.exec(label, s, "DELETE FROM t WHERE id = ?", id)
			e.exec(label, s, "DELETE FROM t WHERE id = ?", -1)
			e.query(label, s, "INSERT INTO t (id, name) VALUES (?, ?) RETURNING id, name", id, "again")
			e.query(label, s, "SELECT id, name FROM t ORDER BY id")
			e.query(label, s, "SELECT id, name FROM t WHERE id = -1")
			e.exec(label, s, "SELECT id FROM t")
		})
	})
}

// Values and columns of all types, NULL among them.
func TestTypes(t *testing.T) {
	compare(t, func(e *env) {
		columns := "a INTEGER, b REAL, c TEXT, d BLOB, e DATE, f TIMESTAMP, g BOOLEAN, h NUMERIC(10, 2), i VARCHAR(7) NOT NULL, j"
		values := []string{
			"1, 2.5, 'text', x'00ff', '2024-02-29', '2024-02-29 12:34:56.789', TRUE, 12.34, 'v', 'any'",
			"-9223372036854775808, 1e300, '', x'', '0001-01-01', '9999-12-31T23:59:59Z', 0, -1, '', 7",
			"'not a number', 'nor this', 3, 'text', 'no date', 17, 'no bool', 'x', 5, NULL",
			"NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'n', NULL",
		}
		if e.postgres {
			columns = `a BIGINT, a2 SMALLINT, a3 INT, b REAL, b2 DOUBLE PRECISION, c TEXT, c2 CHAR(5), i VARCHAR(7) NOT NULL, d BYTEA,
				e DATE, f TIMESTAMP, f2 TIMESTAMPTZ, f3 TIME, f4 INTERVAL, g BOOLEAN, h NUMERIC(10, 2), u UUID, j JSON, j2 JSONB, n INET, ar INT[], ar2 TEXT[]`
			values = []string{
				`1, 2, 3, 2.5, 3.25, 'text', 'c', 'v', '\x00ff', '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+02',
					'12:34:56', '1 day 2 hours', TRUE, 12.34, '12345678-1234-1234-1234-123456789abc', '{"a": [1]}', '{"a":[1]}', '10.0.0.1', '{1,2,NULL}', '{a,"b c"}'`,
				`-9223372036854775808, -32768, -2147483648, 'NaN', 'Infinity', '', '', '', '', '0001-01-01', '9999-12-31 23:59:59', 'epoch',
					'00:00', '-1 month', FALSE, -1, '00000000-0000-0000-0000-000000000000', 'null', '""', '::1/128', '{}', '{}'`,
				"NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
			}
		}
		e.must("CREATE TABLE t (" + columns + ")")
		for _, v := range values {
			e.must("INSERT INTO t VALUES (" + v + ")")
		}
		e.eachSession(func(label string, s session) {
			e.query(label, s, "SELECT * FROM t")
			e.query(label, s, "SELECT count(*), max(a), 1 AS one, 'x' AS x, NULL AS nothing FROM t")
		})
	})
}

// Column types that depend on the row are those of the row that the caller has.
func TestTypesOfEachRow(t *testing.T) {
	compare(t, func(e *env) {
		query := "SELECT CASE i % 4 WHEN 0 THEN i WHEN 1 THEN 'text' WHEN 2 THEN 2.5 END, i FROM " + e.series(300)
		if e.postgres {
			query = "SELECT i::text, i FROM " + e.series(300)
		}
		e.eachSession(func(label string, s session) {
			for _, askUntil := range []int{0, 1, 2, 299, 300} { // rows
				rows, err := s.QueryContext(background, query)
				if e.err(label, err) {
					return
				}
				e.columnTypes(label+" before", rows)
				for n := 1; rows.Next(); n++ {
					e.see(label, scan(rows, 2)...)
					if n <= askUntil {
						e.columnTypes(label, rows)
					}
				}
				e.err(label+" end", rows.Err())
				e.err(label+" close", rows.Close())
				e.flush()
			}
		})
	})
}

// valuer is an argument that knows its value, or why it has none.
type valuer struct {
	value driver.Value
	err   error
}

func (v valuer) Value() (driver.Value, error) { return v.value, v.err }

type (
	number int16
	text   string
)

var errValuer = errors.New("no value today")

func TestArguments(t *testing.T) {
	seven, when := 7, time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.FixedZone("X", 3600))
	arguments := []any{
		nil, 1, int8(-1), int64(math.MinInt64), uint8(255), uint64(math.MaxInt64), uint64(math.MaxUint64), 2.5, float32(0.1),
		math.Inf(1), true, false, "text", "", "ünïcode", []byte("bytes"), []byte{}, []byte(nil), when, when.UTC(), time.Time{},
		&seven, (*int)(nil), number(3), text("named type"), sql.NullString{}, sql.NullInt64{Int64: 5, Valid: true}, sql.Null[string]{V: "v", Valid: true},
		valuer{value: "valued"}, valuer{}, valuer{value: 5}, valuer{err: errValuer}, sql.Named("n", 1), struct{}{}, []int64{1, 2},
		map[string]int{"a": 1}, make(chan int), strings.Repeat("long", 1<<11), sql.Out{Dest: &seven}, json("{}"),
	}
	compare(t, func(e *env) {
		kinds := []string{"?"}
		if e.postgres {
			kinds = []string{"?::text", "?::bigint", "?::double precision", "?::bytea", "?::timestamptz", "?::boolean", "?::int[]", "?::jsonb", "?"}
		}
		if e.name == "pq" { // bare, it hangs in the next call when the server refuses a value
			kinds = []string{"?::text"}
		}
		for i, arg := range arguments {
			for _, kind := range kinds {
				e.query(fmt.Sprintf("db %d %T", i, arg), e.db, "SELECT "+kind, arg)
				e.query(fmt.Sprintf("stmt %d %T", i, arg), prepared{e.db, e}, "SELECT "+kind, arg)
			}
		}
		e.eachSession(func(label string, s session) {
			if _, ok := s.(*sql.Tx); ok && e.postgres {
				return // the first error ends it
			}
			e.query(label, s, "SELECT ?", 1, 2)
			e.query(label, s, "SELECT ?")
			e.query(label, s, "SELECT 1", 1)
			e.exec(label, s, "SELECT ?", struct{}{})
			e.query(label, s, "SELECT 'bound', ?", sql.Named("other", "x"))
		})
	})
}

type json string // a kind of string that no driver knows

func TestScan(t *testing.T) {
	compare(t, func(e *env) {
		ask := "SELECT 5, 2.5, 'text', NULL, '2024-02-29'"
		if e.postgres {
			ask = `SELECT 5, 2.5::float8, 'text', NULL, '2024-02-29'::date, '\x01'::bytea`
		}
		for _, dest := range []func() any{
			func() any { return new(int) }, func() any { return new(int64) }, func() any { return new(uint8) },
			func() any { return new(float64) }, func() any { return new(string) }, func() any { return new([]byte) },
			func() any { return new(bool) }, func() any { return new(any) }, func() any { return new(time.Time) },
			func() any { return new(sql.NullString) }, func() any { return new(sql.NullInt64) }, func() any { return new(sql.NullTime) },
			func() any { return new(sql.RawBytes) }, func() any { return new(*string) }, func() any { return new(sql.Null[float64]) },
		} {
			rows, err := e.db.Query(ask)
			if e.err("Query", err) {
				return
			}
			columns, _ := rows.Columns()
			rows.Next()
			for at := range columns {
				ds := make([]any, len(columns))
				for i := range ds {
					ds[i] = new(any)
				}
				ds[at] = dest()
				label := fmt.Sprintf("%T of column %d", ds[at], at)
				if !e.err(label, rows.Scan(ds...)) {
					if p, ok := ds[at].(**string); ok && *p != nil {
						ds[at] = *p
					}
					e.see(label, deref(ds[at]))
				}
			}
			e.err("Close", rows.Close())
		}
	})
}

func deref(p any) any { return reflect.ValueOf(p).Elem().Interface() }

func TestPrepared(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
		insert, err := e.db.Prepare(e.sql("INSERT INTO t VALUES (?, ?)"))
		e.err("Prepare", err)
		find, err := e.db.Prepare(e.sql("SELECT name FROM t WHERE id = ?"))
		e.err("Prepare", err)
		for i := range 20 {
			r, err := insert.Exec(i, fmt.Sprint("name ", i))
			e.result("insert", r, err)
			rows, err := find.Query(i)
			e.rows("find", rows, err)
		}
		r, err := insert.Exec(3, "again")
		e.result("twice", r, err)
		tx, err := e.db.Begin()
		e.err("Begin", err)
		r, err = tx.Stmt(insert).Exec(100, "in a transaction")
		e.result("in tx", r, err)
		rows, err := tx.Stmt(find).Query(100)
		e.rows("in tx", rows, err)
		e.err("Rollback", tx.Rollback())
		e.err("Row", find.QueryRow(100).Scan(new(string)))
		_, err = e.db.Prepare("SELEC")
		e.err("syntax", err)
		_, err = e.db.Prepare("SELECT * FROM missing")
		e.err("missing", err)
		_, err = e.db.Prepare("")
		e.err("empty", err)
		if e.name != "ncruces" { // which panics
			e.exec("empty", e.db, "")
			e.query("empty", e.db, "")
		}
		e.err("Close", insert.Close())
		e.err("Close", find.Close())
		_, err = insert.Exec(1, "x")
		e.err("closed", err)
	})
}

func TestTransactions(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER PRIMARY KEY)")
		count := func(label string) { e.query(label, e.db, "SELECT count(*) FROM t") }
		for i, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			tx, err := e.db.Begin()
			e.err("Begin", err)
			e.exec("tx", tx, "INSERT INTO t VALUES (?)", i)
			e.err("end", end(tx))
			e.err("end again", end(tx))
			_, err = tx.Exec("INSERT INTO t VALUES (99)")
			e.err("after", err)
			count("after")
		}
		for level := sql.LevelDefault; level <= sql.LevelLinearizable+1; level++ {
			for _, readOnly := range []bool{false, true} {
				label := fmt.Sprint("level ", level, " read only ", readOnly)
				tx, err := e.db.BeginTx(background, &sql.TxOptions{Isolation: level, ReadOnly: readOnly})
				if e.err(label, err) {
					continue
				}
				if e.postgres {
					e.query(label, tx, "SHOW transaction_isolation")
					e.query(label, tx, "SHOW transaction_read_only")
				}
				e.exec(label, tx, "INSERT INTO t VALUES (?)", 1000+int(level))
				e.err(label+" end", tx.Rollback())
			}
		}
		count("after levels")
		tx, err := e.db.Begin()
		e.err("Begin", err)
		e.exec("twice", tx, "INSERT INTO t VALUES (0)")
		e.exec("after the error", tx, "INSERT INTO t VALUES (77)")
		e.err("Commit", tx.Commit())
		count("after the error")

		ctx, cancel := context.WithCancel(background)
		tx, err = e.db.BeginTx(ctx, nil)
		e.err("Begin", err)
		e.exec("tx", tx, "INSERT INTO t VALUES (55)")
		cancel()
		e.untilIdle()
		_, err = tx.Exec("INSERT INTO t VALUES (56)")
		e.err("after its context", err)
		e.err("Commit", tx.Commit())
		count("after cancel")
	})
}

func (e *env) untilIdle() {
	e.t.Helper()
	until(e.t, "no connection in use", func() bool { return e.db.Stats().InUse == 0 })
}

// until waits for something that another goroutine brings about.
func until(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for start := time.Now(); !reached(); time.Sleep(100 * time.Microsecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("waited in vain: ", what)
		}
	}
}

// After SQLite has rolled back by itself, the end of the transaction fails and the
// connection, which a temporary table tells, is kept.
func TestRolledBackBySQLite(t *testing.T) {
	compare(t, func(e *env) {
		if e.postgres {
			return
		}
		e.db.SetMaxOpenConns(1)
		e.must("CREATE TABLE t (id INTEGER PRIMARY KEY)")
		e.must("CREATE TEMP TABLE mine (id INTEGER)")
		for _, end := range []func(*sql.Tx) error{(*sql.Tx).Commit, (*sql.Tx).Rollback} {
			tx, err := e.db.Begin()
			e.err("Begin", err)
			e.exec("tx", tx, "INSERT INTO t VALUES (1)")
			e.exec("tx", tx, "INSERT OR ROLLBACK INTO t VALUES (1)")
			e.err("end", end(tx))
			e.query("kept", e.db, "SELECT count(*) FROM mine")
			e.query("left", e.db, "SELECT count(*) FROM t")
		}
	})
}

func TestErrors(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, CHECK (id < 1000))")
		e.must("CREATE TABLE u (t INTEGER REFERENCES t (id))")
		e.must("INSERT INTO t VALUES (1, 'one')")
		for _, s := range []session{e.db, prepared{e.db, e}} {
			for _, statement := range []string{
				"SELEC 1", "SELECT * FROM missing", "SELECT missing FROM t", "INSERT INTO t VALUES (1, 'two')",
				"INSERT INTO t VALUES (2, 'one')", "INSERT INTO t VALUES (2, NULL)", "INSERT INTO t VALUES (1000, 'x')",
				"INSERT INTO u VALUES (5)", "INSERT INTO t VALUES (1, 2, 3)", "CREATE TABLE t (x INTEGER)", "COMMIT", "ROLLBACK",
			} {
				label := fmt.Sprintf("%T", s)
				e.exec(label, s, statement)
				e.query(label, s, statement)
			}
			failing := "SELECT abs(i - 9223372036854775807 - 1 - 600) FROM " // overflows at row 600
			if e.postgres {
				failing = "SELECT 1 / (600 - i) FROM "
			}
			e.query("late", s, failing+e.series(1000))
			e.query("at once", s, strings.ReplaceAll(failing, "600", "1")+e.series(1000))
		}
		var n int
		e.err("no rows", e.db.QueryRow("SELECT id FROM t WHERE id = 17").Scan(&n))
		e.see("connections", e.db.Stats().OpenConnections)
	})
}

func TestSeveralStatements(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (id INTEGER)")
		for _, statement := range []string{
			"SELECT 1 AS a; SELECT 2 AS b, 3 AS c", "SELECT 1 WHERE 1 = 0; SELECT 2", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)",
			"INSERT INTO t VALUES (3); SELECT id FROM t ORDER BY id", "SELECT 1; SELEC", "SELECT 1; -- comment", "SELECT * FROM t; DELETE FROM t; SELECT count(*) FROM t",
		} {
			e.query("db", e.db, statement)
			e.exec("db", e.db, statement)
			e.query("stmt", prepared{e.db, e}, statement)
			e.exec("stmt", prepared{e.db, e}, statement)
		}
		e.exec("with arguments", e.db, "INSERT INTO t VALUES (?); INSERT INTO t VALUES (?)", 1, 2)
		e.query("after", e.db, "SELECT count(*) FROM t")
	})
}

func TestLargeScans(t *testing.T) {
	compare(t, func(e *env) {
		text, blob := "'row ' || i", "zeroblob(i % 100)"
		large := "SELECT i, zeroblob(1000000) FROM "
		if e.postgres {
			blob = "decode(repeat('00', i % 100), 'hex')"
			large = "SELECT i, decode(repeat('00', 1000000), 'hex') FROM "
		}
		for _, s := range []session{e.db, prepared{e.db, e}} {
			for _, query := range []string{
				"SELECT i, i * 0.5, " + text + ", " + blob + ", CASE WHEN i % 3 = 0 THEN NULL ELSE i END FROM " + e.series(10000),
				large + e.series(5),
			} {
				rows, err := s.QueryContext(background, query)
				if e.err("Query", err) {
					continue
				}
				n, sum := 0, sha256.New()
				columns, _ := rows.Columns()
				for ; rows.Next(); n++ {
					for _, v := range scan(rows, len(columns)) {
						fmt.Fprintf(sum, "%T %s\n", v, v)
					}
				}
				e.err("Err", rows.Err())
				e.see("rows", n, fmt.Sprintf("%x", sum.Sum(nil)))
				e.err("Close", rows.Close())
				e.flush()
			}
			// Left half read.
			for _, read := range []int{0, 1, 300} {
				rows, err := s.QueryContext(background, "SELECT i FROM "+e.series(20000))
				if e.err("Query", err) {
					continue
				}
				for range read {
					rows.Next()
				}
				e.see("half", scan(rows, 1)...)
				e.err("Close", rows.Close())
				e.err("Err", rows.Err())
				e.flush()
				e.query("next", s, "SELECT 1")
			}
		}
		e.see("connections", e.db.Stats().OpenConnections)
	})
}

// Another statement while rows are open: some drivers can, some refuse. It is
// made in a transaction, for on a Conn whose driver says that it is bad
// database/sql waits for the rows to be closed, for ever.
func TestStatementBetweenRows(t *testing.T) {
	compare(t, func(e *env) {
		tx, err := e.db.Begin()
		must(e.t, err)
		defer tx.Rollback()
		rows, err := tx.Query("SELECT i FROM " + e.series(100000))
		must(e.t, err)
		e.see("Next", rows.Next())
		_, err = tx.Exec("SELECT 2")
		e.err("between", err)
		e.see("Next", rows.Next())
		e.err("Close", rows.Close())
		e.err("Rollback", tx.Rollback())
		e.query("after", e.db, "SELECT 1")
	})
}

// Sessions that the server has ended are noticed where they are noticed bare.
func TestLostConnections(t *testing.T) {
	compare(t, func(e *env) {
		if !e.postgres {
			e.t.Skip("it has no server")
		}
		admin := e.openDSN(e.t, e.dsn(e.t), false)
		defer admin.Close()
		e.db.SetMaxOpenConns(1)
		kill := func(on interface {
			QueryRowContext(context.Context, string, ...any) *sql.Row
		}) {
			var pid int
			until(e.t, "a session", func() bool { return on.QueryRowContext(background, "SELECT pg_backend_pid()").Scan(&pid) == nil })
			killSession(e.t, admin, pid)
		}
		query := func(s session) error {
			rows, err := s.QueryContext(background, "SELECT 1")
			if err == nil {
				err = rows.Close()
			}
			return err
		}
		for range 2 {
			e.races = true
			kill(e.db)
			e.err("query", query(e.db))
			kill(e.db)
			_, err := e.db.Exec("SELECT 1")
			e.err("exec", err)
			kill(e.db)
			e.err("Ping", e.db.Ping())
			kill(e.db)
			tx, err := e.db.Begin()
			e.err("Begin", err)
			if err == nil {
				tx.Rollback()
			}
			until(e.t, "a session", func() bool { return e.db.Ping() == nil })
			c, err := e.db.Conn(background)
			e.err("Conn", err)
			kill(c)
			e.err("conn", query(c))
			e.err("conn", query(c))
			e.err("Conn.Close", c.Close())
			until(e.t, "a session", func() bool { return e.db.Ping() == nil })
			e.races = false
			e.query("after", e.db, "SELECT 1")
		}
	})
}

func killSession(t testing.TB, admin *sql.DB, pid int) {
	t.Helper()
	_, err := admin.Exec("SELECT pg_terminate_backend($1)", pid)
	must(t, err)
	until(t, "the session to end", func() bool {
		var n int
		must(t, admin.QueryRow("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid).Scan(&n))
		return n == 0
	})
}

func TestConcurrentUse(t *testing.T) {
	compare(t, func(e *env) {
		e.must("CREATE TABLE t (worker INTEGER, n INTEGER)")
		e.db.SetMaxOpenConns(4)
		var wg sync.WaitGroup
		failed := make([]error, 8)
		for w := range failed {
			wg.Go(func() {
				for n := range 25 {
					_, err := e.db.Exec(e.sql("INSERT INTO t VALUES (?, ?)"), w, n)
					var got int
					failed[w] = errors.Join(failed[w], err,
						e.db.QueryRow(e.sql("SELECT count(*) FROM t WHERE worker = ?"), w).Scan(&got))
					if got != n+1 {
						failed[w] = errors.Join(failed[w], fmt.Errorf("worker %d sees %d rows of %d", w, got, n+1))
					}
				}
			})
		}
		wg.Wait()
		e.err("workers", errors.Join(failed...))
		e.query("after", e.db, "SELECT worker, count(*), sum(n) FROM t GROUP BY worker ORDER BY worker")
	})
}

func TestPoolAndDriver(t *testing.T) {
	compare(t, func(e *env) {
		d := e.db.Driver()
		if u, ok := d.(interface{ Unwrap() driver.Driver }); ok {
			d = u.Unwrap()
		}
		e.see("driver", fmt.Sprintf("%T", d))
		e.err("Ping", e.db.Ping())
		c, err := e.db.Conn(background)
		e.err("Conn", err)
		e.err("Raw", c.Raw(func(any) error { return driver.ErrBadConn }))
		e.err("Ping", c.PingContext(background))
		e.err("Close", c.Close())
		e.see("open", e.db.Stats().OpenConnections)
		e.err("Ping", e.db.Ping())
		e.err("Close", e.db.Close())
		e.err("Ping", e.db.Ping())
	})
	eachDatabase(t, func(t *testing.T, d database) {
		var errs [2]string
		for i := range errs {
			dsn := "postgres://nobody@127.0.0.1:1/none?sslmode=disable"
			if !d.postgres {
				dsn = "file:/nowhere/none.db"
			}
			db := d.openDSN(t, dsn, i == 1)
			errs[i] = fmt.Sprint(db.Ping())
			db.Close()
		}
		if errs[0] != errs[1] {
			t.Errorf("bare: %s\n aio: %s", errs[0], errs[1])
		}
	})
}
