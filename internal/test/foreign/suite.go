package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/go-sql-driver/mysql"
)

// A suite is a module whose root package has tests worth borrowing.
type suite struct {
	name    string
	module  string
	version string // for a module that go.mod does not name
	pkg     string // the package's name
	adapter string // what knows the driver, below the shim's module; "" if nothing does

	// environ returns what the tests need in their environment. An error
	// that wraps errNeedsServer leaves the suite out.
	environ func(context.Context) ([]string, error)
}

// A mode is a way to open a database through the shim.
type mode struct {
	name    string
	how     string // the value of the variable that testdata/shim_test.go.tmpl reads
	adapter bool
}

var suites = []suite{
	{name: "go-sqlite3", module: "github.com/mattn/go-sqlite3", pkg: "sqlite3", adapter: "driver/sqlite3"},
	{name: "go-sqlmock", module: "github.com/DATA-DOG/go-sqlmock", version: "v1.5.2", pkg: "sqlmock"},
	{name: "mysql", module: "github.com/go-sql-driver/mysql", pkg: "mysql", adapter: "driver/mysql", environ: mysqlEnviron},
}

func (s suite) modes() []mode {
	modes := []mode{
		{name: "aio", how: "aio"},
		{name: "registered", how: "registered"},
	}
	if s.adapter != "" {
		modes[1].adapter = true
		modes = append(modes, mode{name: "aio+adapter", how: "aio", adapter: true})
	}
	return modes
}

// mysqlEnviron makes a database for the suite, which creates and drops tables
// of common names, and says where it is.
func mysqlEnviron(ctx context.Context) ([]string, error) {
	dsn := os.Getenv("SQLAIO_MARIADB")
	if dsn == "" {
		return nil, fmt.Errorf("%w: set SQLAIO_MARIADB or use make conformance", errNeedsServer)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("SQLAIO_MARIADB: %w", err)
	}
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	const name = "sqlaio_foreign"
	for _, stmt := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			return nil, err
		}
	}
	return []string{
		"MYSQL_TEST_USER=" + cfg.User,
		"MYSQL_TEST_PASS=" + cfg.Passwd,
		"MYSQL_TEST_PROT=" + cfg.Net,
		"MYSQL_TEST_ADDR=" + cfg.Addr,
		"MYSQL_TEST_DBNAME=" + name,
	}, nil
}
