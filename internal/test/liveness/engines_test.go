package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/mariadb"
	"github.com/sqlaio/sqlaio/overlay"
)

const (
	// numbers is a query of as many rows as its argument says.
	numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT ?) SELECT n FROM c"
	// endless is a query that runs until it is stopped.
	endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1e15) SELECT max(n) FROM c"
)

// newFile returns the path of a new SQLite file with the table t.
func newFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	db, err := sql.Open("sqlite3", path+"?_journal_mode=WAL")
	noError(t, "open", err)
	defer db.Close()
	_, err = db.Exec("CREATE TABLE t (id INTEGER, data BLOB)")
	noError(t, "create the table", err)
	return path
}

// openFile returns an engine on a new SQLite file.
func openFile(t testing.TB, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	return open(t, "sqlite3", newFile(t)+"?_busy_timeout=10000", opts...)
}

func open(t testing.TB, driver, dsn string, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open(driver, dsn, opts...)
	noError(t, "open", err)
	t.Cleanup(func() { shut(t, e) })
	return e
}

// overDB returns an engine on db, which is the test's own.
func overDB(t testing.TB, db *sql.DB, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e := overlay.New(db, opts...)
	t.Cleanup(func() {
		shut(t, e)
		closeDB(t, db)
	})
	return e
}

// openAio opens a database through the driver aio.
func openAio(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("aio", dsn)
	noError(t, "open", err)
	return db
}

// closeDB closes a sql.DB within the test's patience.
func closeDB(t testing.TB, db *sql.DB) {
	t.Helper()
	if err := within(t, patience, "sql.DB.Close", db.Close); err != nil {
		t.Errorf("sql.DB.Close: %v", err)
	}
}

// shut ends an engine. What a failed test has left open does not keep it.
func shut(t testing.TB, e *overlay.Engine) {
	t.Helper()
	d := 10 * time.Second
	if t.Failed() {
		d = 100 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(background, d)
	defer cancel()
	err := within(t, patience, "Shutdown at the test's end", func() error { return e.Shutdown(ctx) })
	if err != nil && !t.Failed() {
		t.Errorf("Shutdown at the test's end: %v", err)
	}
}

// works fails the test if an engine does not answer.
func works(t testing.TB, e *overlay.Engine) {
	t.Helper()
	n, err := outcome(t, soon, "the next call", overlay.Scalar[int](bounded(t), e, "SELECT 41 + 1"))
	if err != nil || n != 42 {
		t.Errorf("the next call: %v, %v", n, err)
	}
}

// connect returns a connection of an engine.
func connect(t testing.TB, e *overlay.Engine) *overlay.Conn {
	t.Helper()
	return value(t, "ConnectAsync", e.ConnectAsync(bounded(t)))
}

// bare opens a database through the bare driver.
func bare(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	noError(t, "open", err)
	t.Cleanup(func() { db.Close() })
	return db
}

// mariaDB returns the configuration of the tests' server, and creates the
// table there with no row in it.
func mariaDB(t testing.TB, table string) *mysql.Config {
	t.Helper()
	cfg := mariadb.Config(t)
	admin := admin(t, cfg)
	for _, s := range []string{"DROP TABLE IF EXISTS " + table, "CREATE TABLE " + table + " (id BIGINT, data LONGBLOB) ENGINE=InnoDB"} {
		_, err := admin.ExecContext(bounded(t), s)
		noError(t, s, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(background, patience)
		defer cancel()
		if _, err := admin.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
			t.Errorf("drop %s: %v", table, err)
		}
	})
	return cfg
}

// admin returns the bare driver's pool on a server.
func admin(t testing.TB, cfg *mysql.Config) *sql.DB { return bare(t, "mysql", cfg.FormatDSN()) }

// count returns how many rows a table has.
func count(t testing.TB, db *sql.DB, table string) (n int) {
	t.Helper()
	err := db.QueryRowContext(bounded(t), fmt.Sprintf("SELECT count(*) FROM %s", table)).Scan(&n)
	noError(t, "count the rows", err)
	return n
}
