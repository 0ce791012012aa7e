// Package eyes2_test tries to break the product.
package eyes2_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

var bg = context.Background()

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func file(t *testing.T, params string, setup ...string) (dsn string, bare *sql.DB) {
	t.Helper()
	dsn = filepath.Join(t.TempDir(), "e.db") + "?_busy_timeout=2000" + params
	return dsn, bareOf(t, "sqlite3", dsn, setup)
}

func bareOf(t *testing.T, driver, dsn string, setup []string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	ok(t, "open", err)
	t.Cleanup(func() { db.Close() })
	for _, s := range setup {
		_, err := db.Exec(s)
		ok(t, s, err)
	}
	return db
}

var count atomic.Int64

func maria(t *testing.T, setup ...string) (dsn string, bare *sql.DB) {
	t.Helper()
	base := os.Getenv("SQLAIO_MARIADB")
	if base == "" {
		t.Skip("no MariaDB")
	}
	cfg, err := mysql.ParseDSN(base)
	ok(t, "dsn", err)
	admin, err := sql.Open("mysql", base)
	ok(t, "open", err)
	name := fmt.Sprintf("eyes2_%d_%d", os.Getpid(), count.Add(1))
	_, err = admin.Exec("CREATE DATABASE " + name)
	ok(t, "create", err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		defer cancel()
		admin.ExecContext(ctx, "DROP DATABASE "+name)
		admin.Close()
	})
	cfg.DBName, cfg.MultiStatements = name, true
	dsn = cfg.FormatDSN()
	return dsn, bareOf(t, "mysql", dsn, setup)
}

func engine(t *testing.T, driver, dsn string, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open(driver, dsn, opts...)
	ok(t, "open", err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(bg, 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Logf("Shutdown: %v", err)
		}
	})
	return e
}

func aio(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("aio", driver+":"+dsn)
	ok(t, "open", err)
	t.Cleanup(func() { db.Close() })
	return db
}

func rows(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	defer cancel()
	ok(t, query, db.QueryRowContext(ctx, query).Scan(&n))
	return n
}
