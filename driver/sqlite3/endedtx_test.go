//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

// When a transaction's context ends, database/sql rolls it back in a goroutine
// of its own. What the program does meanwhile on the same connection must
// neither be rolled back with it nor save it.
func TestNothingGetsIntoATransactionWhoseContextHasEnded(t *testing.T) {
	ctx := context.Background()
	db, err := sql.Open("aio", "sqlite3:"+filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_sync=OFF")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table t (n integer)"); err != nil {
		t.Fatal(err)
	}
	// database/sql closes the connection after such a transaction, since
	// go-sqlite3 has no ResetSession: that may come first as well.
	refused := func(err error) bool {
		return errors.Is(err, context.Canceled) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn)
	}
	want := 0
	for i := range 300 {
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithCancel(ctx)
		tx, err := conn.BeginTx(short, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("insert into t values (-1)"); err != nil {
			t.Fatal(err)
		}
		cancel()
		if i%2 == 0 {
			_, err = conn.ExecContext(ctx, "insert into t values (1)")
		} else {
			var next *sql.Tx
			if next, err = conn.BeginTx(ctx, nil); err == nil {
				_, err = next.Exec("insert into t values (1)")
				if err = errors.Join(err, next.Commit()); err != nil {
					next.Rollback()
				}
			}
		}
		switch {
		case err == nil:
			want++
		case !refused(err):
			t.Fatal(err)
		}
		tx.Rollback()
		conn.Close()
	}
	var lost, got int
	if err := db.QueryRow("select count(*) filter (where n < 0), count(*) filter (where n > 0) from t").Scan(&lost, &got); err != nil {
		t.Fatal(err)
	}
	if lost != 0 || got != want {
		t.Fatalf("%d writes of ended transactions are there, and %d of %d others", lost, got, want)
	}
	t.Logf("%d of 300 calls went through", want)
}

// Whoever gets a connection after a transaction that a text had begun, and that SQLite has rolled
// back, is not refused for it.
func TestNextUserAfterATextTransactionWasRolledBack(t *testing.T) {
	ctx := context.Background()
	db, err := sql.Open("aio", "sqlite3:"+filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("create table t (n integer unique); insert into t values (1)"); err != nil {
		t.Fatal(err)
	}
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(ctx, "begin"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ExecContext(ctx, "insert or rollback into t values (1)"); err == nil {
		t.Fatal("no conflict")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("insert into t values (2)"); err != nil {
		t.Error(err)
	}
}
