// Package mariadb leads tests to the MariaDB server that SQLAIO_MARIADB names.
package mariadb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Config returns the configuration of the server. Without a server it skips the test.
func Config(t testing.TB) *mysql.Config {
	t.Helper()
	dsn := os.Getenv("SQLAIO_MARIADB")
	if dsn == "" {
		t.Skip("SQLAIO_MARIADB is not set: run the tests with `make test`, which starts a MariaDB server")
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		t.Fatal("SQLAIO_MARIADB: ", err)
	}
	return cfg
}

var databases atomic.Int64

// Database returns the configuration of an empty database on the server, which the test's end drops.
func Database(t testing.TB) *mysql.Config {
	t.Helper()
	cfg := Config(t)
	admin, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	cfg.DBName = fmt.Sprintf("sqlaio_%d_%d", os.Getpid(), databases.Add(1))
	do := func(statement string) {
		// A transaction that a failed test has left open must not block this for ever.
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := admin.ExecContext(ctx, statement+cfg.DBName); err != nil {
			t.Fatal(statement, err)
		}
	}
	do("CREATE DATABASE ")
	t.Cleanup(func() {
		defer admin.Close()
		do("DROP DATABASE ")
	})
	return cfg
}
