package sqlmock_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"slices"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
)

var (
	background = context.Background()
	done       = sqlmock.NewResult(0, 1)
)

// await returns the future's value, or stops the test at its error.
func await[T any](t *testing.T, f *overlay.Future[T]) T {
	t.Helper()
	v, err := f.Await(background)
	ok(t, err)
	return v
}

// failure returns the future's error.
func failure[T any](f *overlay.Future[T]) error {
	_, err := f.Await(background)
	return err
}

func TestOverlayExecute(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectExec("INSERT").WithArgs("dora", sql.Named("age", 44)).WillReturnResult(sqlmock.NewResult(7, 1))
	m.ExpectQuery("SELECT id, name").WithArgs(sqlmock.AnyArg()).WillReturnRows(one("id", "name").AddRow(1, "a").AddRow(2, "b"))
	m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewErrorResult(errScripted))

	r := await(t, e.ExecuteAsync(background, "INSERT", "dora", sql.Named("age", 44)))
	id, err := r.LastInsertID()
	ok(t, err)
	same(t, id, 7)
	same(t, r.RowCount(), 1)
	same(t, r.ReturnsRows(), false)

	r = await(t, e.ExecuteAsync(background, "SELECT id, name FROM users WHERE id < ?", 3))
	same(t, fmt.Sprint(r.Keys()), "[id name]")
	text := ""
	for row, err := range r.Rows(background) {
		ok(t, err)
		text += fmt.Sprint(row.Values())
	}
	same(t, text, "[1 a][2 b]")

	done := await(t, e.ExecAsync(background, "UPDATE"))
	_, err = done.RowsAffected()
	same(t, err, errScripted)
}

func TestOverlayFutures(t *testing.T) {
	e, m := overlaytest.New(t)
	for i := range 3 {
		m.ExpectQuery("SELECT n").WithArgs(i).WillReturnRows(one("n").AddRow(10 * i))
	}
	m.ExpectExec("UPDATE").WillReturnError(errScripted)
	m.ExpectQuery("SELECT none").WillReturnRows(one("n"))
	m.ExpectQuery("SELECT word").WillReturnRows(one("word").AddRow("a"))

	var fs []*overlay.Future[int]
	for i := range 3 {
		fs = append(fs, overlay.Scalar[int](background, e, "SELECT n", i))
	}
	same(t, fmt.Sprint(await(t, overlay.All(fs...))), "[0 10 20]")
	same(t, failure(e.ExecAsync(background, "UPDATE")), errScripted)
	same(t, failure(e.ScalarAsync(background, "SELECT none")), sql.ErrNoRows)
	word := overlay.Then(e.ScalarAsync(background, "SELECT word"), func(v any) (string, error) { return v.(string) + "!", nil })
	same(t, await(t, word), "a!")
}

func TestOverlayAllFailsWithTheFirstAndCancelsTheOthers(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectExec("UPDATE").WillDelayFor(delay).WillReturnError(errScripted)
	fs := []*overlay.Future[sql.Result]{e.ExecAsync(background, "UPDATE")}
	for range 20 {
		fs = append(fs, e.ExecAsync(background, "LATE"))
	}
	same(t, failure(overlay.All(fs...)), errScripted)
	for _, f := range fs[1:] {
		same(t, failure(f), context.Canceled)
	}
}

func TestOverlayAnyTakesTheFirstAndCancelsTheOthers(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectQuery("SELECT").WillDelayFor(delay).WillReturnRows(one("n").AddRow(4))
	fs := []*overlay.Future[any]{e.ScalarAsync(background, "SELECT")}
	for range 20 {
		fs = append(fs, e.ScalarAsync(background, "LATE"))
	}
	same(t, await(t, overlay.Any(fs...)), any(int64(4)))
	for _, f := range fs[1:] {
		same(t, failure(f), context.Canceled)
	}
}

func TestOverlaySkipIsAnsweredWithAStatement(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(driver.ErrSkip)
	m.ExpectPrepare("UPDATE").WillBeClosed().ExpectExec().WithArgs(1).WillReturnResult(done)
	m.ExpectQuery("SELECT").WithArgs(2).WillReturnError(driver.ErrSkip)
	m.ExpectPrepare("SELECT").WillBeClosed().ExpectQuery().WithArgs(2).WillReturnRows(one("n").AddRow(5))
	await(t, e.ExecAsync(background, "UPDATE", 1))
	same(t, await(t, e.ScalarAsync(background, "SELECT", 2)), any(int64(5)))
}

func TestOverlayOutOfOrder(t *testing.T) {
	e, m := overlaytest.New(t, overlaytest.WithEngine(overlay.WithLanes(4)))
	m.MatchExpectationsInOrder(false)
	var fs []*overlay.Future[sql.Result]
	for i := range 50 {
		m.ExpectExec("UPDATE").WithArgs(49 - i).WillReturnResult(sqlmock.NewResult(0, 1))
	}
	for i := range 50 {
		fs = append(fs, e.ExecAsync(background, "UPDATE", i))
	}
	await(t, overlay.All(fs...))
}

func TestOverlayUnexpectedCallsFail(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(done)
	wantText(t, failure(e.ExecAsync(background, "DELETE")), "could not match actual sql")
	wantText(t, failure(e.QueryAsync(background, "SELECT")), "was not expected")
	wantText(t, failure(e.ExecAsync(background, "UPDATE", 2)), "arguments do not match")
	await(t, e.ExecAsync(background, "UPDATE", 1))
}

func TestOverlayValueConverter(t *testing.T) {
	e, m := overlaytest.New(t, overlaytest.WithValueConverter(upper{}))
	m.ExpectExec("INSERT").WithArgs("A,B").WillReturnResult(done)
	wantText(t, failure(e.ExecAsync(background, "INSERT", 1.5)), "sql: converting argument $1 type: cannot convert float64")
	await(t, e.ExecAsync(background, "INSERT", []string{"a", "b"}))
}

// A result is whole or an error; a stream gives the rows before the error.
func TestOverlayRowError(t *testing.T) {
	e, m := overlaytest.New(t)
	for range 2 {
		m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(numbers(400).RowError(300, errScripted))
	}
	same(t, failure(e.QueryAsync(background, "SELECT")), errScripted)
	r := await(t, e.StreamAsync(background, "SELECT"))
	n := 0
	for _, err := range r.Rows(background) {
		if err != nil {
			same(t, err, errScripted)
			break
		}
		n++
	}
	same(t, n, 300)
}

func TestOverlayCloseError(t *testing.T) {
	e, m := overlaytest.New(t)
	for range 2 {
		m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(numbers(400).CloseError(errScripted))
	}
	same(t, failure(e.QueryAsync(background, "SELECT")), errScripted)
	rows, err := await(t, e.StreamAsync(background, "SELECT")).FetchAllAsync(background).Await(background)
	same(t, len(rows), 400)
	same(t, err, errScripted)
}

// numbers are rows that count from 0.
func numbers(n int) *sqlmock.Rows {
	rows := one("n")
	for i := range n {
		rows.AddRow(i)
	}
	return rows
}

// A stream that is left closes its rows, and gives its connection back.
func TestOverlayStreamThatIsLeft(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(numbers(1000))
	m.ExpectExec("UPDATE").WillReturnResult(done)
	for row, err := range await(t, e.StreamAsync(background, "SELECT")).Rows(background) {
		ok(t, err)
		same(t, row.Values()[0], any(int64(0)))
		break
	}
	await(t, e.ExecAsync(background, "UPDATE"))
}

func TestOverlayFirstAndScalarOfAResult(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(one("n").AddRow(4).AddRow(5))
	m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(one("n").AddRow(6).AddRow(7))
	row := await(t, await(t, e.QueryAsync(background, "SELECT")).FirstAsync(background))
	same(t, row.Values()[0], any(int64(4)))
	same(t, await(t, await(t, e.QueryAsync(background, "SELECT")).ScalarAsync(background)), any(int64(6)))
}

// The mock overwrites []byte values at each Next.
func TestOverlayBytesOutliveTheirRow(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectQuery("SELECT").WillReturnRows(one("raw").FromCSVString("first\nsecond\nNULL\nthird"))
	var texts []string
	for _, row := range await(t, await(t, e.QueryAsync(background, "SELECT")).FetchAllAsync(background)) {
		texts = append(texts, fmt.Sprintf("%s", row.Values()[0]))
	}
	same(t, fmt.Sprint(texts), "[first second %!s(<nil>) third]")
}

func TestOverlayBatch(t *testing.T) {
	e, m := overlaytest.New(t)
	statements := []overlay.Statement{{Query: "INSERT", Args: []any{1}}, {Query: "UPDATE"}, {Query: "DELETE", Args: []any{"x"}}}

	m.ExpectExec("INSERT").WithArgs(1).WillReturnResult(sqlmock.NewResult(5, 1))
	m.ExpectExec("UPDATE").WillReturnError(errScripted)
	rs, err := e.BatchAsync(background, statements).Await(background)
	wantText(t, err, "overlay: statement 2 of 3: scripted failure")
	if rs == nil { // what Await gives with an error
		t.Fatal("no results")
	}
	ok(t, rs[0].Err)
	id, _ := rs[0].Result.LastInsertId()
	same(t, id, 5)
	same(t, rs[1].Err, errScripted)
	same(t, rs[2].Err, overlay.ErrNotRun)

	m.ExpectExec("INSERT").WithArgs(1).WillReturnResult(done)
	m.ExpectExec("UPDATE").WillReturnError(errScripted)
	m.ExpectExec("DELETE").WithArgs("x").WillReturnResult(done)
	rs, err = e.BatchAsync(background, statements, overlay.KeepGoing()).Await(background)
	wantText(t, err, "statement 2 of 3")
	same(t, rs[2].Err, nil)

	m.ExpectBegin()
	m.ExpectExec("INSERT").WithArgs(1).WillReturnResult(done)
	m.ExpectExec("UPDATE").WillReturnError(errScripted)
	m.ExpectRollback()
	wantText(t, failure(e.BatchAsync(background, statements, overlay.InTx(nil))), "statement 2 of 3")

	m.ExpectBegin()
	m.ExpectExec("INSERT").WithArgs(1).WillReturnResult(done)
	m.ExpectExec("UPDATE").WillReturnResult(done)
	m.ExpectExec("DELETE").WithArgs("x").WillReturnResult(done)
	m.ExpectCommit().WillReturnError(errScripted)
	same(t, failure(e.BatchAsync(background, statements, overlay.InTx(nil))), errScripted)
}

func TestOverlayExecMany(t *testing.T) {
	e, m := overlaytest.New(t)
	sets := [][]any{{1, "a"}, {2, "b"}, {3, "c"}}

	p := m.ExpectPrepare("INSERT").WillBeClosed()
	for _, set := range sets {
		p.ExpectExec().WithArgs(set[0], set[1]).WillReturnResult(sqlmock.NewResult(int64(set[0].(int)), 1))
	}
	for i, r := range await(t, e.ExecManyAsync(background, "INSERT", sets)) {
		id, err := r.Result.LastInsertId()
		ok(t, err)
		same(t, id, int64(i+1))
	}

	m.ExpectBegin()
	p = m.ExpectPrepare("INSERT").WillBeClosed()
	p.ExpectExec().WithArgs(1, "a").WillReturnResult(done)
	p.ExpectExec().WithArgs(2, "b").WillReturnError(errScripted)
	m.ExpectRollback()
	wantText(t, failure(e.ExecManyAsync(background, "INSERT", sets, overlay.InTx(nil))), "statement 2 of 3")

	m.ExpectPrepare("INSERT").WillReturnError(errScripted)
	wantText(t, failure(e.ExecManyAsync(background, "INSERT", sets)), "statement 1 of 3: scripted failure")
}

func TestOverlayHasTable(t *testing.T) {
	for _, c := range []struct {
		dialect overlay.Dialect
		expect  func(m sqlmock.Sqlmock, found bool)
	}{
		{overlay.SQLite, func(m sqlmock.Sqlmock, found bool) {
			m.ExpectQuery("pragma_table_info").WithArgs("users").WillReturnRows(one("found").AddRow(found))
		}},
		{overlay.PostgreSQL, func(m sqlmock.Sqlmock, found bool) {
			m.ExpectQuery("pg_catalog").WithArgs("", "users").WillReturnRows(one("found").AddRow(found))
		}},
		{overlay.MySQL, func(m sqlmock.Sqlmock, found bool) {
			q := m.ExpectQuery("DESCRIBE `users`")
			if q.WillReturnRows(one("Field").AddRow("id")); !found {
				q.WillReturnError(fmt.Errorf("Error 1146 (42S02): Table 'x.users' doesn't exist"))
			}
		}},
	} {
		t.Run(c.dialect.String(), func(t *testing.T) {
			e, m := overlaytest.New(t, overlaytest.WithEngine(overlay.WithDialect(c.dialect)))
			for _, found := range []bool{true, false} {
				c.expect(m, found)
				same(t, await(t, e.HasTableAsync(background, "users")), found)
			}
			m.ExpectQuery("").WillReturnError(errScripted)
			same(t, failure(e.HasTableAsync(background, "users")), errScripted)
		})
	}
}

func TestOverlayTableNames(t *testing.T) {
	for dialect, query := range map[overlay.Dialect]string{
		overlay.SQLite: `"aux".sqlite_master`, overlay.MySQL: "information_schema", overlay.PostgreSQL: "pg_catalog",
	} {
		t.Run(dialect.String(), func(t *testing.T) {
			e, m := overlaytest.New(t, overlaytest.WithEngine(overlay.WithDialect(dialect)))
			m.ExpectQuery(query).WillReturnRows(one("name").AddRow([]byte("a")).AddRow("b"))
			names := await(t, e.TableNamesAsync(background, overlay.InSchema("aux")))
			same(t, fmt.Sprint(names), "[a b]")
			m.ExpectQuery(query).WillReturnRows(one("name").AddRow("a").AddRow("b").RowError(1, errScripted))
			same(t, failure(e.TableNamesAsync(background, overlay.InSchema("aux"))), errScripted)
		})
	}
}

func TestOverlayTablesOfAnUnknownDatabase(t *testing.T) {
	e, _ := overlaytest.New(t)
	wantText(t, failure(e.HasTableAsync(background, "users")), "give WithDialect")
	wantText(t, failure(e.TableNamesAsync(background)), "give WithDialect")
}

func TestOverlayPings(t *testing.T) {
	e, m := overlaytest.New(t, overlaytest.WithPings())
	m.ExpectPing()
	m.ExpectExec("UPDATE").WillReturnResult(done)
	ok(t, e.SyncDB().Ping())
	await(t, e.ExecAsync(background, "UPDATE"))
}

func TestOverlayRunInThread(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectPrepare("INSERT").WillBeClosed().ExpectExec().WithArgs(1).WillReturnResult(done)
	m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(one("n").AddRow(3))
	m.ExpectCommit()
	n := await(t, overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (n int, err error) {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return 0, err
		}
		defer tx.Rollback()
		s, err := tx.Prepare("INSERT")
		if err != nil {
			return 0, err
		}
		if _, err := s.Exec(1); err != nil {
			return 0, err
		}
		if err := tx.QueryRow("SELECT").Scan(&n); err != nil {
			return 0, err
		}
		return n, tx.Commit()
	}))
	same(t, n, 3)
}

// Every call of the overlay's reaches the mock on its connection's worker.
func TestOverlayCallsComeFromTheWorker(t *testing.T) {
	s := script{}
	mock, dsn := s.mock(t)
	watch := &spy{driver: mockDriver(t), dsn: dsn}
	db := aio.OpenDB(watch)
	e := overlay.New(db, overlay.WithLanes(1))

	mock.ExpectExec("INSERT").WithArgs(1).WillReturnResult(done)
	mock.ExpectQuery("SELECT").WillReturnRows(one("n").AddRow(1))
	p := mock.ExpectPrepare("UPDATE")
	p.ExpectExec().WithArgs(1).WillReturnResult(done)
	p.ExpectExec().WithArgs(2).WillReturnResult(done)
	mock.ExpectBegin()
	mock.ExpectExec("SAVEPOINT").WillReturnResult(done)
	mock.ExpectExec("RELEASE SAVEPOINT").WillReturnResult(done)
	mock.ExpectCommit()

	await(t, e.ExecAsync(background, "INSERT", 1))
	await(t, e.ScalarAsync(background, "SELECT"))
	await(t, e.ExecManyAsync(background, "UPDATE", [][]any{{1}, {2}}))
	ok(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		return c.WithNested(ctx, func(context.Context, *overlay.Conn) error { return nil })
	}))
	ok(t, e.Shutdown(background))
	db.Close()
	ok(t, mock.ExpectationsWereMet())
	if found := watch.strayed(); found != nil {
		t.Errorf("the mock was called elsewhere: %v", found)
	}
	want := []string{
		"CheckNamedValue { 1 1}", `Exec "INSERT" [{ 1 1}]`,
		`Query "SELECT" []`, "Rows.Close",
		`Prepare "UPDATE"`, "CheckNamedValue { 1 1}", "Stmt.Exec [{ 1 1}]", "CheckNamedValue { 1 2}", "Stmt.Exec [{ 1 2}]", "Stmt.Close",
		"Begin {0 false}", `Exec "SAVEPOINT sqlaio_1" []`, `Exec "RELEASE SAVEPOINT sqlaio_1" []`, "Commit",
	}
	calls := slices.DeleteFunc(watch.calls, func(call string) bool { return call == "Conn.Close" }) // one or two, when the pool likes
	if !slices.Equal(calls, want) {
		t.Errorf("the mock saw %q, want %q", calls, want)
	}
}
