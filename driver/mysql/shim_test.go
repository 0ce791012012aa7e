package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

func openDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("aio", "mysql:"+testConfig(t).FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func sessionID(t testing.TB, q querier) (id int64) {
	t.Helper()
	if err := q.QueryRowContext(context.Background(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	return id
}

// awaitIdle waits until the server runs nothing in the session. (What the list
// calls a killed session may be one that had nothing to stop.)
func awaitIdle(t testing.TB, db *sql.DB, id int64) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		var statement sql.NullString
		err := db.QueryRow("SELECT INFO FROM information_schema.processlist WHERE ID = ?", id).Scan(&statement)
		if err != nil {
			t.Fatalf("session %d: %v", id, err)
		}
		if !statement.Valid {
			return
		}
		if time.Since(start) > 3*time.Second {
			t.Fatalf("session %d runs %s", id, statement.String)
		}
	}
}

func TestCancel(t *testing.T) {
	db := openDB(t)
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id := sessionID(t, c)
	row := func(query string, args ...any) func(context.Context) error {
		return func(ctx context.Context) error {
			var v string
			err := c.QueryRowContext(ctx, query, args...).Scan(&v)
			if err == nil {
				err = fmt.Errorf("the result is %q", v)
			}
			return err
		}
	}
	for name, call := range map[string]func(context.Context) error{
		"query":          row(endless),
		"prepared query": row(endless+" WHERE b.seq > ?", 7),
		"all rows": func(ctx context.Context) error {
			rows, err := c.QueryContext(ctx, "SELECT seq, REPEAT('x', 100) FROM seq_1_to_100000000")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
		"exec": func(ctx context.Context) error {
			_, err := c.ExecContext(ctx, "CREATE TEMPORARY TABLE never AS SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b")
			return err
		},
	} {
		for _, after := range []time.Duration{0, time.Millisecond, 30 * time.Millisecond} {
			var late time.Duration
			for range 5 { // a busy machine may need more than one try
				ctx, cancel := context.WithTimeout(context.Background(), after)
				err := call(ctx)
				deadline, _ := ctx.Deadline()
				late = time.Since(deadline)
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s after %v: %v", name, after, err)
				}
				awaitIdle(t, db, id)
				if got := sessionID(t, c); got != id {
					t.Fatalf("%s after %v: session %d became %d", name, after, id, got)
				}
				if late <= 50*time.Millisecond {
					break
				}
			}
			t.Logf("%s cancelled after %v ended %v later", name, after, late)
			if late > 50*time.Millisecond && !raceEnabled {
				t.Errorf("%s cancelled after %v ended %v later, want at most 50ms", name, after, late)
			}
		}
	}
}

// A SLEEP that is killed may report success, with the result 1.
func TestCancelSleep(t *testing.T) {
	db := openDB(t)
	var took time.Duration
	for range 5 { // see endless
		ctx, cancel := context.WithCancel(context.Background())
		var start time.Time
		time.AfterFunc(100*time.Millisecond, func() { start = time.Now(); cancel() })
		var v string
		err := db.QueryRowContext(ctx, "SELECT SLEEP(10)").Scan(&v)
		<-ctx.Done()
		took = time.Since(start)
		if !errors.Is(err, context.Canceled) && v != "1" {
			t.Errorf("%v, result %q", err, v)
		}
		if took <= 50*time.Millisecond {
			t.Logf("ended after %v", took)
			return
		}
	}
	t.Errorf("ended %v after its cancel, want at most 50ms", took)
}

// Rows that nobody reads to their end are left behind when their context ends.
func TestCancelBetweenRows(t *testing.T) {
	db := openDB(t)
	db.SetMaxOpenConns(2)
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id := sessionID(t, c)
	for _, query := range []string{
		"SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000000",
		// The rows are large, as the server does not send them one by one.
		"SELECT REPEAT('x', 20000), IF(seq > 5, SLEEP(10), 0) FROM seq_1_to_10",
	} {
		ctx, cancel := context.WithCancel(context.Background())
		rows, err := c.QueryContext(ctx, query)
		if err != nil {
			t.Fatal(err)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		time.Sleep(10 * time.Millisecond)
		start := time.Now()
		cancel()
		closed := make(chan struct{})
		go func() {
			rows.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(5 * time.Second):
			db.Exec(fmt.Sprint("KILL CONNECTION ", id))
			t.Fatalf("%s: still not closed %v after its cancel", query, time.Since(start))
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: closed %v after its cancel", query, took)
		}
		if got := sessionID(t, c); got != id {
			t.Fatalf("%s: session %d became %d", query, id, got)
		}
		awaitIdle(t, db, id)
	}
}

func TestCancelInTransaction(t *testing.T) {
	db := openDB(t)
	table := fmt.Sprintf("sqlaio_shim_%d", rand.Int32())
	if _, err := db.Exec("CREATE TABLE " + table + " (a BIGINT) ENGINE=InnoDB"); err != nil {
		t.Fatal(err)
	}
	defer db.Exec("DROP TABLE " + table)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.Exec("INSERT INTO "+table+" VALUES (?)", 1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := tx.ExecContext(ctx, "INSERT INTO "+table+" SELECT seq FROM seq_2_to_100000000"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if time.Since(start) > patience {
		t.Skip("the server is too busy to undo the statement in time")
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v; want 1", n, err)
	}
}

// Cancels at any moment: every call ends as its context or its result says, on
// sessions that stay the same.
func TestCancelStorm(t *testing.T) {
	db := openDB(t)
	const workers = 6
	db.SetMaxOpenConns(workers)
	db.SetMaxIdleConns(workers)
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := db.Conn(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			id := sessionID(t, c)
			stopped, finished := 0, 0
			for n := range rounds {
				want := w*1000 + n
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond)
				var got, count int
				err := c.QueryRowContext(ctx, "SELECT ?, COUNT(*) FROM seq_1_to_3000 WHERE MD5(seq) <> ''", want).Scan(&got, &count)
				cancel()
				switch {
				case err == nil && got == want && count == 3000:
					finished++
				case errors.Is(err, context.DeadlineExceeded):
					stopped++
				default:
					t.Errorf("%v, got %d, want %d, counted %d", err, got, want, count)
				}
				// What follows is never hit.
				if err := c.QueryRowContext(context.Background(), "SELECT ? + COUNT(*) FROM seq_1_to_100", want).Scan(&got); err != nil || got != want+100 {
					t.Errorf("the next query: %v, got %d, want %d", err, got, want+100)
				}
			}
			if got := sessionID(t, c); got != id {
				t.Errorf("session %d became %d", id, got)
			}
			t.Logf("%d stopped, %d finished", stopped, finished)
		}()
	}
	wg.Wait()
}

// returningTable makes a table whose name tests write rows into.
func returningTable(t *testing.T, db *sql.DB, columns string) (name string) {
	t.Helper()
	name = fmt.Sprintf("returning_%d", sessionID(t, db))
	if _, err := db.Exec("CREATE TABLE " + name + " (" + columns + ") ENGINE=InnoDB"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Exec("DROP TABLE " + name) })
	return name
}

func rowCount(t testing.TB, q querier, table string) (n int) {
	t.Helper()
	if err := q.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A write that is refused after its first row is not taken for made by who reads that row alone.
func TestReturningRefusedAfterItsFirstRow(t *testing.T) {
	db := openDB(t)
	table := returningTable(t, db, "id BIGINT PRIMARY KEY")
	insert := "INSERT INTO " + table + " SELECT IF(seq = 3, 1, seq) FROM seq_1_to_3 RETURNING id"
	var e *mysql.MySQLError
	var id int
	if err := db.QueryRow(insert).Scan(&id); !errors.As(err, &e) || e.Number != 1062 {
		t.Errorf("QueryRow: %v, want a duplicate entry", err)
	}
	rows, err := db.Query(insert)
	if err != nil {
		t.Fatal(err)
	}
	rows.Next()
	if err := rows.Close(); !errors.As(err, &e) || e.Number != 1062 {
		t.Errorf("Close: %v, want a duplicate entry", err)
	}
}

// A write is made to its end, however early its rows are closed.
func TestReturningIsMadeToItsEnd(t *testing.T) {
	db := openDB(t)
	table := returningTable(t, db, "id BIGINT, data LONGTEXT, s BIGINT")
	var id int
	var data string
	err := db.QueryRow("INSERT INTO "+table+" SELECT seq, REPEAT('x', 40000), SLEEP(0.01) FROM seq_1_to_20 RETURNING id, data").Scan(&id, &data)
	if n := rowCount(t, db, table); err != nil || n != 20 {
		t.Errorf("QueryRow: %v; %d rows, want 20", err, n)
	}
}

// A write whose context ends as its rows are being closed is not taken for made if it was stopped.
func TestReturningWhoseContextEndsAsItsRowsAreClosed(t *testing.T) {
	db := openDB(t)
	table := returningTable(t, db, "id BIGINT, data LONGTEXT, s BIGINT")
	insert := "INSERT INTO " + table + " SELECT seq, REPEAT('x', 40000), SLEEP(0.02) FROM seq_1_to_20 RETURNING id, data"
	for _, after := range []time.Duration{100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond} {
		if _, err := db.Exec("DELETE FROM " + table); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), after)
		var id int
		var data string
		err := db.QueryRowContext(ctx, insert).Scan(&id, &data)
		cancel()
		n := rowCount(t, db, table)
		for start := time.Now(); err == nil && n != 20 && time.Since(start) < time.Second; n = rowCount(t, db, table) {
			time.Sleep(time.Millisecond)
		}
		if err == nil && n != 20 {
			t.Errorf("context of %v: no error, and %d rows, want 20", after, n)
		}
	}
}

// scriptDB is openDB for texts of several statements, with one connection.
func scriptDB(t *testing.T) *sql.DB {
	t.Helper()
	cfg := testConfig(t)
	cfg.MultiStatements = true
	db, err := sql.Open("aio", "mysql:"+cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// A write is told that it was refused after its first row, whatever its text begins with.
func TestReturningRefusedInOtherStatements(t *testing.T) {
	db := scriptDB(t)
	db.SetMaxOpenConns(2)
	table := returningTable(t, db, "id BIGINT PRIMARY KEY, data LONGTEXT")
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	insert := "INSERT INTO " + table + " SELECT IF(seq = 2, 1, seq), REPEAT('x', 40000) FROM seq_1_to_2 RETURNING id"
	for _, text := range []string{
		"BEGIN NOT ATOMIC " + insert + "; END",
		"IF 1 THEN " + insert + "; END IF",
		"SET @x = 1; " + insert,
		"START TRANSACTION; " + insert,
	} {
		var e *mysql.MySQLError
		var id int
		if err := c.QueryRowContext(context.Background(), text).Scan(&id); !errors.As(err, &e) || e.Number != 1062 {
			t.Errorf("%s: %v, want a duplicate entry", text, err)
		}
		if _, err := c.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
	}
}

// What is stopped in a later statement has made the first one: its outcome is unknown.
func TestStoppedInALaterStatement(t *testing.T) {
	db := scriptDB(t)
	table := returningTable(t, db, "id BIGINT, data LONGTEXT, s BIGINT")
	procedure := "make_" + table
	if _, err := db.Exec("CREATE PROCEDURE " + procedure + "() BEGIN INSERT INTO " + table + " VALUES (1, '', 0); SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b; END"); err != nil {
		t.Fatal(err)
	}
	defer db.Exec("DROP PROCEDURE " + procedure)
	insert := "INSERT INTO " + table
	for _, text := range []string{
		insert + " VALUES (1, '', 0); " + insert + " SELECT seq + 10, REPEAT('x', 40000), SLEEP(0.02) FROM seq_1_to_1000 RETURNING id, data",
		"CALL " + procedure + "()",
	} {
		if _, err := db.Exec("DELETE FROM " + table); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := db.ExecContext(ctx, text)
		cancel()
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table + " WHERE id = 1").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if err == nil || n > 0 && !errors.Is(err, aio.ErrOutcomeUnknown) {
			t.Errorf("%s: %v, and the first row is there %d times; want ErrOutcomeUnknown", text, err, n)
		}
	}
}

// A SELECT of which only the first row is wanted is not interrupted in the eyes of its caller.
func TestQueryRowOfSlowRowsIsNotInterrupted(t *testing.T) {
	db := openDB(t)
	for range 8 {
		var id, x int
		var s string
		if err := db.QueryRow("SELECT seq, REPEAT('x', 40000), SLEEP(0.01) FROM seq_1_to_6").Scan(&id, &s, &x); err != nil {
			t.Fatal(err)
		}
	}
}

// A Commit whose answer does not come says that its outcome is unknown.
func TestCommitWithoutAnAnswer(t *testing.T) {
	front, through := proxy.Before(t, testConfig(t))
	watch := openDB(t)
	table := returningTable(t, watch, "id BIGINT")
	db, err := sql.Open("aio", "mysql:"+through.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO " + table + " VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	front.Every((*proxy.Conn).Mute)
	end := make(chan error, 1)
	go func() { end <- tx.Commit() }()
	for rowCount(t, watch, table) == 0 {
		time.Sleep(time.Millisecond)
	}
	front.Cut()
	if err := <-end; !errors.Is(err, aio.ErrOutcomeUnknown) {
		t.Errorf("Commit: %v, want ErrOutcomeUnknown", err)
	}
}

// When the server cannot be asked to stop, the caller gets away all the same,
// and the next call gets another connection.
func TestCancelOnHangingServer(t *testing.T) {
	cfg := testConfig(t)
	front, through := proxy.Before(t, cfg)
	db, err := sql.Open("aio", "mysql:"+through.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	id := sessionID(t, db)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	time.AfterFunc(10*time.Millisecond, func() { front.Every((*proxy.Conn).Stall) })
	start := time.Now()
	var v any
	err = db.QueryRowContext(ctx, "SELECT SLEEP(10)").Scan(&v)
	// It is not known what became of the call: see Lost.
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, mysql.ErrInvalidConn) {
		t.Error(err)
	}
	if took := time.Since(start); took > sideTimeout+2*time.Second {
		t.Errorf("took %v", took)
	}
	front.Heal()
	if got := sessionID(t, db); got == id {
		t.Error("the connection to the hanging server is still used")
	}
}

// No error of a failed connection tells the password.
func TestNoPasswordInErrors(t *testing.T) {
	cfg := testConfig(t)
	cfg.Passwd = "hush-" + cfg.Passwd
	front, through := proxy.Before(t, cfg)
	for _, refuse := range []bool{false, true} {
		if refuse {
			front.OnConnect((*proxy.Conn).Close)
		}
		db, err := sql.Open("aio", "mysql:"+through.FormatDSN())
		if err != nil {
			t.Fatal(err)
		}
		err = db.Ping()
		db.Close()
		if err == nil || strings.Contains(err.Error(), "hush-") {
			t.Errorf("refused %v: %v", refuse, err)
		}
	}
}
