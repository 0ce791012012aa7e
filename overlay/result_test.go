package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

func TestScalar(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Ann", "Bob")
		if v := must(t, db.e.ScalarAsync(db.ctx, "SELECT id FROM people WHERE name = ?", "Bob")); v != int64(2) {
			t.Errorf("ScalarAsync returned %T %v, want int64 2", v, v)
		}
		const name = "SELECT name, id FROM people WHERE id = ?"
		if v := must(t, overlay.Scalar[string](db.ctx, db.e, name, 1)); v != "Ann" {
			t.Errorf("Scalar[string] returned %q", v)
		}
		if v := must(t, overlay.Scalar[sql.NullString](db.ctx, db.e, "SELECT NULL")); v.Valid {
			t.Errorf("Scalar[sql.NullString] returned %v", v)
		}
		failure(t, overlay.Scalar[int](db.ctx, db.e, name, 1)) // not a number
		wantError(t, failure(t, db.e.ScalarAsync(db.ctx, name, 3)), sql.ErrNoRows)
	})
}

// The rows after the first one are not waited for.
func TestScalarOfAQueryWithoutEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		start := time.Now()
		if n := must(t, overlay.Scalar[int](db.ctx, c, db.endlessRows())); n != 1 {
			t.Errorf("Scalar returned %d", n)
		}
		soon(t, start)
		wantFree(t, db, c)
	})
}

func TestResultThatReturnsRows(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Ann", "Bob", "Cid", "Dan")
		r := must(t, db.e.ExecuteAsync(db.ctx, "SELECT id, name FROM people ORDER BY id"))
		if !r.ReturnsRows() || !slices.Equal(r.Keys(), []string{"id", "name"}) || r.RowCount() != -1 {
			t.Errorf("ReturnsRows %v, Keys %q, RowCount %d", r.ReturnsRows(), r.Keys(), r.RowCount())
		}
		if _, err := r.LastInsertID(); err == nil {
			t.Error("a query has inserted something")
		}
		row := must(t, r.FetchOneAsync(db.ctx))
		var id int
		var name string
		if err := row.Scan(&id, &name); err != nil || id != 1 || name != "Ann" {
			t.Errorf("first row: %d %q (%v)", id, name, err)
		}
		if v, ok := row.Value("id"); !ok || v != int64(1) {
			t.Errorf("Value(id) is %v", v)
		}
		if n := len(must(t, r.FetchManyAsync(db.ctx, 2))); n != 2 {
			t.Errorf("FetchManyAsync(2) returned %d rows", n)
		}
		if n := len(must(t, r.FetchAllAsync(db.ctx))); n != 1 {
			t.Errorf("FetchAllAsync returned %d rows, want the one left", n)
		}
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), sql.ErrNoRows)
		if n := len(must(t, r.FetchManyAsync(db.ctx, 2))) + len(must(t, r.FetchAllAsync(db.ctx))); n != 0 {
			t.Errorf("%d rows past the end", n)
		}
	})
}

func TestResultThatReturnsNoRows(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Ann", "Bob")
		r := must(t, db.e.ExecuteAsync(db.ctx, insertPerson, "Cid"))
		id, err := r.LastInsertID()
		if r.ReturnsRows() || r.Keys() != nil || id != 3 || err != nil || r.RowCount() != 1 {
			t.Errorf("ReturnsRows %v, Keys %q, LastInsertID %d (%v), RowCount %d", r.ReturnsRows(), r.Keys(), id, err, r.RowCount())
		}
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), overlay.ErrReturnsNoRows)
		wantError(t, failure(t, r.FetchAllAsync(db.ctx)), overlay.ErrReturnsNoRows)
		wantError(t, failure(t, r.FirstAsync(db.ctx)), overlay.ErrReturnsNoRows)
		must(t, r.CloseAsync(db.ctx))
		r = must(t, db.e.ExecuteAsync(db.ctx, "DELETE FROM people WHERE id < 3"))
		if r.RowCount() != 2 {
			t.Errorf("RowCount %d, want 2", r.RowCount())
		}
	})
}

func TestFirstAndScalarCloseTheResult(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		r := must(t, db.e.ExecuteAsync(db.ctx, peoplesIDs))
		if v := must(t, r.FirstAsync(db.ctx)).Values(); len(v) != 1 || v[0] != int64(1) {
			t.Errorf("first row: %v", v)
		}
		must(t, r.CloseAsync(db.ctx)) // after the first one's end
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), overlay.ErrClosed)
		r = must(t, db.e.ExecuteAsync(db.ctx, peoplesIDs))
		if v := must(t, r.ScalarAsync(db.ctx)); v != int64(1) {
			t.Errorf("scalar: %v", v)
		}
		wantError(t, failure(t, r.FetchAllAsync(db.ctx)), overlay.ErrClosed)
		r = must(t, db.e.ExecuteAsync(db.ctx, peoplesIDs+" LIMIT 0"))
		wantError(t, failure(t, r.FirstAsync(db.ctx)), sql.ErrNoRows)
	})
}

// A result is whole: its connection is free, and may even be closed.
func TestResultOutlivesItsConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		c := db.connect(t)
		r := must(t, c.QueryAsync(db.ctx, peoplesIDs))
		must(t, c.ExecAsync(db.ctx, "DELETE FROM people"))
		db.close(t, c)
		if n := len(must(t, r.FetchAllAsync(db.ctx))); n != 1000 {
			t.Errorf("%d rows, want 1000", n)
		}
	})
}

// A statement without rows is carried out by QueryAsync and ScalarAsync, too.
func TestQueryOfAStatementWithoutRows(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		r := must(t, db.e.QueryAsync(db.ctx, insertPerson, "Ann"))
		if r.ReturnsRows() {
			t.Errorf("an INSERT has the columns %q", r.Keys())
		}
		wantError(t, failure(t, db.e.ScalarAsync(db.ctx, insertPerson, "Bob")), overlay.ErrReturnsNoRows)
		db.wantPeople(t, 2)
		failure(t, db.e.QueryAsync(db.ctx, "INSERT INTO people (id, name) VALUES (1, 'twice')"))
	})
}

// A result above its limit fails, and says what to do; one of a write does not: it is done.
func TestResultLimit(t *testing.T) {
	const limit = 1 << 20
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		for _, query := range []func(context.Context, string, ...any) *overlay.Future[*overlay.Result]{c.QueryAsync, c.ExecuteAsync} {
			start := time.Now()
			err := failure(t, query(db.ctx, db.endlessRows()))
			soon(t, start)
			wantError(t, err, overlay.ErrResultTooLarge)
			if !strings.Contains(err.Error(), "StreamAsync") {
				t.Errorf("the error %q does not name StreamAsync", err)
			}
			wantFree(t, db, c)
		}
		row := "SELECT '" + strings.Repeat("x", limit/4) + "' AS text"
		two := must(t, c.QueryAsync(db.ctx, row+" UNION ALL "+row))
		if n := len(must(t, two.FetchAllAsync(db.ctx))); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		db2 := must(t, c.StreamAsync(db.ctx, strings.Repeat(row+" UNION ALL ", 7)+row))
		if n := len(must(t, db2.FetchAllAsync(db.ctx))); n != 8 {
			t.Errorf("%d rows of a stream, want 8", n)
		}
	}, overlay.WithResultLimit(limit))
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		r := must(t, db.e.QueryAsync(db.ctx, "INSERT INTO people (name) VALUES ('a'), ('b') RETURNING id"))
		if n := len(must(t, r.FetchAllAsync(db.ctx))); n != 2 {
			t.Errorf("%d rows of a write, want 2", n)
		}
	}, overlay.WithResultLimit(1))
}

func TestRowsIterates(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		for _, leave := range []int{1000, 1, 300, 700} {
			r := must(t, db.e.ExecuteAsync(db.ctx, "SELECT id FROM people ORDER BY id"))
			n := 0
			for row, err := range r.Rows(db.ctx) {
				if n++; err != nil || row.Values()[0] != int64(n) {
					t.Fatalf("row %d: %v (%v)", n, row.Values(), err)
				}
				if n == leave {
					break
				}
			}
			if n != leave {
				t.Errorf("%d rows, want %d", n, leave)
			}
			must(t, r.CloseAsync(db.ctx)) // after the loop's
			wantError(t, failure(t, r.FetchAllAsync(db.ctx)), overlay.ErrClosed)
			db.wantPeople(t, 1000)
		}
	})
}

func TestStatementKinds(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Ann")
		for query, rows := range map[string]bool{
			"-- a comment\n/* another */ SELECT id FROM people":                             true,
			"WITH p AS (SELECT id FROM people) SELECT id FROM p":                            true,
			"INSERT INTO people (name) VALUES ('Bob') RETURNING id":                         true,
			"/* SELECT */ INSERT INTO people (name) VALUES ('returning')":                   false,
			"INSERT INTO people (name) WITH p AS (SELECT name FROM people) SELECT * FROM p": false,
			"UPDATE people SET name = 'Cid'":                                                false,
		} {
			if r := must(t, db.e.ExecuteAsync(db.ctx, query)); r.ReturnsRows() != rows {
				t.Errorf("%s: ReturnsRows is %v", query, r.ReturnsRows())
			}
		}
		own := []string{"PRAGMA table_info(people)"}
		if db.maria {
			must(t, db.e.ExecuteAsync(db.ctx, "CREATE PROCEDURE three() SELECT 3"))
			own = []string{"SHOW TABLES", "CALL three()", "DESCRIBE people"}
		}
		for _, query := range own {
			r := must(t, db.e.ExecuteAsync(db.ctx, query))
			if n := len(must(t, r.FetchAllAsync(db.ctx))); n == 0 {
				t.Errorf("%s: no rows", query)
			}
		}
	})
}

// The error of closing the rows is Scalar's, as it is QueryRow's.
func TestScalarReturnsTheErrorOfClosing(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	var id any
	want := db.QueryRow("rows 3 closeerror").Scan(&id, &id, &id, &id, &id, &id, &id)
	_, err := e.ScalarAsync(background, "rows 3 closeerror").Await(background)
	if (err == nil) != (want == nil) {
		t.Errorf("ScalarAsync: %v; sql.DB.QueryRow: %v", err, want)
	}
}

// A text that begins with SELECT and writes later is carried out to its end, although its rows
// are not asked for.
func TestTextThatWritesAfterItsSelect(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE t (id INT, s INT)"))
		e, err := overlay.Open("mysql", db.dsn+"?multiStatements=true", overlay.WithLanes(1))
		noError(t, err)
		defer e.Shutdown(db.ctx)
		const text = "SELECT 1; INSERT INTO t SELECT 1, SLEEP(0.1)"
		calls := []func() error{
			func() error { return second(e.ExecuteAsync(db.ctx, text).Await(db.ctx)) },
			func() error { return second(e.QueryAsync(db.ctx, text).Await(db.ctx)) },
			func() error { return second(overlay.Scalar[int](db.ctx, e, text).Await(db.ctx)) },
			func() error {
				r := must(t, e.StreamAsync(db.ctx, text))
				return errors.Join(second(r.FetchAllAsync(db.ctx).Await(db.ctx)), second(r.CloseAsync(db.ctx).Await(db.ctx)))
			},
		}
		for i, call := range calls {
			noError(t, call())
			if n := must(t, overlay.Scalar[int](db.ctx, e, "SELECT count(*) FROM t")); n != i+1 {
				t.Fatalf("call %d: %d rows, want %d", i, n, i+1)
			}
		}
	})
}

// A SELECT whose function writes is carried out to its end although its first row is enough, as it
// is by the bare driver.
func TestSelectOfAFunctionThatWrites(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE t (id INT)"))
		must(t, db.e.ExecAsync(db.ctx, "CREATE FUNCTION f(n INT) RETURNS LONGTEXT BEGIN INSERT INTO t VALUES (n); DO SLEEP(0.01); RETURN REPEAT('x', 40000); END"))
		const query = "SELECT f(seq) FROM seq_1_to_10"
		for name, run := range map[string]func() error{
			"Scalar":     func() error { return second(overlay.Scalar[string](db.ctx, db.e, query).Await(db.ctx)) },
			"FirstAsync": func() error { return second(must(t, db.e.StreamAsync(db.ctx, query)).FirstAsync(db.ctx).Await(db.ctx)) },
			"QueryRow":   func() error { var s string; return db.e.SyncDB().QueryRowContext(db.ctx, query).Scan(&s) },
		} {
			must(t, db.e.ExecAsync(db.ctx, "DELETE FROM t"))
			err := run()
			if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM t")); err == nil && n != 10 {
				t.Errorf("%s: no error, and %d rows of 10", name, n)
			}
		}
	})
}

// So is one whose function is written as if it was one of the database's own.
func TestSelectOfAFunctionThatLooksLikeAnother(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE t (id INT)"))
		for _, name := range []string{"log", "f", "audit$count"} {
			must(t, db.e.ExecAsync(db.ctx, "CREATE FUNCTION "+name+"(n INT) RETURNS LONGTEXT BEGIN INSERT INTO t VALUES (n); DO SLEEP(0.005); RETURN REPEAT('x', 40000); END"))
		}
		schema := must(t, overlay.Scalar[string](db.ctx, db.e, "SELECT DATABASE()"))
		for _, call := range []string{schema + ".log(seq)", "f/* count */(seq)", "f -- count\n(seq)", "audit$count(seq)"} {
			query := "SELECT " + call + " FROM seq_1_to_10"
			for name, run := range map[string]func() error{
				"Scalar":     func() error { return second(overlay.Scalar[string](db.ctx, db.e, query).Await(db.ctx)) },
				"FirstAsync": func() error { return second(must(t, db.e.StreamAsync(db.ctx, query)).FirstAsync(db.ctx).Await(db.ctx)) },
				"QueryRow":   func() error { var s string; return db.e.SyncDB().QueryRowContext(db.ctx, query).Scan(&s) },
			} {
				must(t, db.e.ExecAsync(db.ctx, "DELETE FROM t"))
				noError(t, run())
				if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM t")); n != 10 {
					t.Errorf("%s: %s: %d rows of 10", query, name, n)
				}
			}
		}
	})
}

// Rows may have no columns: PostgreSQL's SELECT FROM t.
func TestRowsWithoutColumns(t *testing.T) {
	db := aio.OpenDB(noColumns{})
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	for _, err := range []error{
		failure(t, overlay.Scalar[int](background, e, "SELECT FROM t")),
		failure(t, overlay.One[int](background, e, "SELECT FROM t")),
		failure(t, must(t, e.QueryAsync(background, "SELECT FROM t")).ScalarAsync(background)),
	} {
		var p *threadpin.PanicError
		if errors.As(err, &p) {
			t.Error(err)
		}
	}
}

// noColumns is a driver whose queries return a row without columns. It is its own connector
// and connection.
type noColumns struct{}

func (noColumns) Connect(context.Context) (driver.Conn, error) { return noColumns{}, nil }
func (noColumns) Open(string) (driver.Conn, error)             { return noColumns{}, nil }
func (noColumns) Driver() driver.Driver                        { return noColumns{} }
func (noColumns) Prepare(string) (driver.Stmt, error)          { return nil, driver.ErrSkip }
func (noColumns) Begin() (driver.Tx, error)                    { return nil, driver.ErrSkip }
func (noColumns) Close() error                                 { return nil }
func (noColumns) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return new(emptyRow), nil
}

type emptyRow struct{ read bool }

func (*emptyRow) Columns() []string { return nil }
func (*emptyRow) Close() error      { return nil }
func (r *emptyRow) Next([]driver.Value) error {
	if r.read {
		return io.EOF
	}
	r.read = true
	return nil
}
