package drivers

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "github.com/ncruces/go-sqlite3/driver"
	_ "modernc.org/sqlite"

	_ "github.com/sqlaio/sqlaio/driver"
)

var background = context.Background()

// A database is a driver and what the tests know about its database.
type database struct {
	name     string
	driver   string // as it is registered
	postgres bool
}

var databases = []database{
	{"pgx", "pgx", true},
	{"pq", "postgres", true},
	{"modernc", "sqlite", false},
	{"ncruces", "sqlite3", false},
}

// eachDatabase runs a test with every driver.
func eachDatabase(t *testing.T, test func(*testing.T, database)) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			if d.postgres && os.Getenv("SQLAIO_POSTGRES") == "" {
				t.Skip("SQLAIO_POSTGRES is not set: run the tests with `make drivers`, which starts a PostgreSQL server")
			}
			test(t, d)
		})
	}
}

var made atomic.Int64 // databases

// dsn makes an empty database: on PostgreSQL a schema.
func (d database) dsn(t testing.TB) string {
	t.Helper()
	n := made.Add(1)
	if !d.postgres {
		dsn := "file:" + filepath.Join(t.TempDir(), fmt.Sprintf("%d.db", n)) + "?_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)"
		db := d.openDSN(t, dsn, false)
		defer db.Close()
		_, err := db.Exec("PRAGMA journal_mode = wal") // once for all connections: two at a time would meet a lock
		must(t, err)
		return dsn
	}
	server := os.Getenv("SQLAIO_POSTGRES")
	schema := fmt.Sprintf("sqlaio_%d_%d", os.Getpid(), n)
	admin := func(statement string) {
		db, err := sql.Open(d.driver, server)
		must(t, err)
		defer db.Close()
		_, err = db.Exec(statement)
		must(t, err)
	}
	admin("CREATE SCHEMA " + schema)
	t.Cleanup(func() { admin("DROP SCHEMA " + schema + " CASCADE") })
	separator := "?"
	if strings.Contains(server, "?") {
		separator = "&"
	}
	return server + separator + "search_path=" + schema
}

// open opens an empty database, bare or through aio.
func (d database) open(t testing.TB, wrapped bool) *sql.DB {
	t.Helper()
	db := d.openDSN(t, d.dsn(t), wrapped)
	t.Cleanup(func() { db.Close() })
	return db
}

func (d database) openDSN(t testing.TB, dsn string, wrapped bool) *sql.DB {
	t.Helper()
	name := d.driver
	if wrapped {
		name, dsn = "aio", d.driver+":"+dsn
	}
	db, err := sql.Open(name, dsn)
	must(t, err)
	return db
}

// sql writes the placeholders as the database wants them.
func (d database) sql(query string) string {
	if !d.postgres {
		return query
	}
	var b strings.Builder
	for n, part := range strings.Split(query, "?") {
		if n > 0 {
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteString(part)
	}
	return b.String()
}

// series is a table expression of the numbers i from 1 to n.
func (d database) series(n int) string {
	if d.postgres {
		return fmt.Sprintf("generate_series(1, %d) AS s(i)", n)
	}
	return fmt.Sprintf("(WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < %d) SELECT i FROM s)", n)
}

// endless is a query that runs for hours.
func (d database) endless() string {
	if d.postgres {
		return "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"
	}
	return "SELECT count(*) FROM " + d.series(1e15)
}

// late is a query with n rows at once, and then none for hours.
func (d database) late(n int) string {
	if d.postgres {
		return fmt.Sprintf("SELECT i, repeat('x', 100), CASE WHEN i > %d THEN pg_sleep(10000)::text END FROM %s", n, d.series(n+1))
	}
	return fmt.Sprintf("SELECT i, 'x', CASE WHEN i > %d THEN (%s) END FROM %s", n, d.endless(), d.series(n+1))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
