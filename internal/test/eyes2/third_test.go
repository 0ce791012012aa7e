package eyes2_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// The function of Engine.RunCallable begins a transaction and panics.
func TestRunCallablePanics(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	e.SyncDB().SetMaxOpenConns(1)
	func() {
		defer func() { t.Logf("recovered: %v", recover()) }()
		e.RunCallable(bg, func(sc *sql.Conn) error {
			_, err := sc.ExecContext(bg, "BEGIN")
			ok(t, "begin", err)
			panic("the application's")
		})
	}()
	_, err := e.SyncDB().ExecContext(bg, "INSERT INTO t VALUES (1)")
	t.Logf("neighbour's insert: %v", err)
	_, err2 := e.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
	t.Logf("engine's insert: %v", err2)
	n := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1")
	t.Logf("rows 1: %d", n)
	if err == nil && n == 0 {
		t.Error("LOST")
	}
}

// The function closes its sql.Conn, and somebody else has the connection when it returns.
func TestRunCallableCloses(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	e.SyncDB().SetMaxOpenConns(1)
	begun, done := make(chan struct{}), make(chan struct{})
	var errs []error
	returned := make(chan struct{})
	neighbour := func() {
		defer close(done)
		tx, err := e.SyncDB().BeginTx(bg, nil) // waits for the connection
		errs = append(errs, err)
		_, err = tx.Exec("INSERT INTO t VALUES (1)")
		errs = append(errs, err)
		close(begun)
		<-returned
		_, err = tx.Exec("INSERT INTO t VALUES (2)")
		errs = append(errs, err, tx.Commit())
	}
	err := e.RunCallable(bg, func(sc *sql.Conn) error {
		go neighbour()
		time.Sleep(50 * time.Millisecond)
		sc.Close()
		<-begun
		return nil
	})
	close(returned)
	<-done
	n1, n2 := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1"), rows(t, bare, "SELECT count(*) FROM t WHERE id = 2")
	t.Logf("RunCallable: %v; neighbour's begin, insert 1, insert 2, commit: %v; rows 1: %d, 2: %d", err, errs, n1, n2)
	if n1 == 0 {
		t.Error("the neighbour's transaction was hit")
	}
}

// A transaction that the text SAVEPOINT has begun, and SQLite has rolled back.
func TestSavepointByText(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	e := engine(t, "sqlite3", dsn)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	defer c.CloseAsync(bg)
	plain, err := bare.Conn(bg)
	ok(t, "conn", err)
	defer plain.Close()
	for _, text := range []string{"SAVEPOINT a", "INSERT INTO t VALUES (1)", "INSERT OR ROLLBACK INTO t VALUES (1)", "ROLLBACK TO a", "RELEASE a",
		"SAVEPOINT a", "INSERT INTO t VALUES (2)", "RELEASE a", "SELECT 1", "INSERT INTO t VALUES (3)"} {
		_, berr := plain.ExecContext(bg, text)
		plain.ExecContext(bg, "x")
		t.Logf("%-40s bare: %v", text, berr)
	}
	bare.Exec("DELETE FROM t")
	failed := false
	for _, text := range []string{"SAVEPOINT a", "INSERT INTO t VALUES (1)", "INSERT OR ROLLBACK INTO t VALUES (1)", "ROLLBACK TO a", "RELEASE a",
		"SAVEPOINT a", "INSERT INTO t VALUES (2)", "RELEASE a", "SELECT 1", "INSERT INTO t VALUES (3)"} {
		_, err := c.ExecAsync(bg, text).Await(bg)
		t.Logf("%-40s Conn: %v", text, err)
		failed = text == "INSERT INTO t VALUES (3)" && err != nil
	}
	if failed {
		t.Error("all is refused for good")
	}
}

// A text that ends the transaction and begins another, and fails after that.
func TestScriptEndsBeginsAndFails(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	for _, text := range []string{"COMMIT; BEGIN; INSERT INTO nowhere VALUES (1)", "COMMIT; BEGIN; SELECT SLEEP(5)"} {
		bare.Exec("DELETE FROM t")
		err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
			ok(t, "insert", err)
			short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
			defer cancel()
			_, err = c.ExecAsync(short, text).Await(ctx)
			return err
		})
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("%s: WithTx: %v; rows %d", text, err, n)
		if n > 0 && !errors.Is(err, overlay.ErrTxEnded) && !errors.Is(err, overlay.ErrOutcomeUnknown) {
			t.Error("kept, and not told")
		}
	}
}

// Texts in which COMMIT stands in a string or a comment.
func TestCommitInAString(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (s TEXT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	for _, text := range []string{
		`INSERT INTO t VALUES ('don\'t; commit; later')`,
		"INSERT INTO t VALUES ('a') # it; commit; later",
		"INSERT INTO t VALUES ('a') # don't\n",
		`INSERT INTO t VALUES ("say \"x; commit; y\"")`,
	} {
		bare.Exec("DELETE FROM t")
		err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, text).Await(ctx)
			t.Logf("%s: %v", text, err)
			_, err = c.ExecAsync(ctx, "INSERT INTO t VALUES ('b')").Await(ctx)
			return err
		})
		t.Logf("  WithTx: %v; rows %d", err, rows(t, bare, "SELECT count(*) FROM t"))
		if err != nil {
			t.Error("refused")
		}
	}
}

// Writes with rows whose text begins with another word.
func TestOtherWordsThatReturnRows(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY, data LONGTEXT) ENGINE=InnoDB")
	const insert = "INSERT INTO t SELECT IF(seq = 2, 1, seq), REPEAT('x', 40000) FROM seq_1_to_2 RETURNING id"
	db := aio(t, "mysql", dsn)
	for _, text := range []string{insert, "BEGIN NOT ATOMIC " + insert + "; END", "IF 1 THEN " + insert + "; END IF",
		"SET @x = 1; " + insert, "START TRANSACTION; " + insert, "ANALYZE " + "INSERT INTO t SELECT 1, 'x' FROM seq_1_to_2"} {
		for name, db := range map[string]*sql.DB{"bare": bare, "aio": db} {
			bare.Exec("DELETE FROM t")
			var id any
			err := db.QueryRowContext(bg, text).Scan(&id)
			n := rows(t, bare, "SELECT count(*) FROM t")
			t.Logf("%.60s: %s: %v; rows %d", text, name, err, n)
			if err == nil && n == 0 && name == "aio" {
				t.Error("LOST")
			}
			db.Exec("ROLLBACK")
		}
	}
}
