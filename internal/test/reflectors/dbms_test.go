package reflectors

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/mariadb"
	"github.com/sqlaio/sqlaio/overlay"
)

// A dbms is where the tools are tried.
type dbms struct {
	name string
	open func(t *testing.T) *overlay.Engine
}

var databases = []dbms{{"sqlite", openSQLite}, {"mariadb", openMariaDB}}

// tables is how many createTables makes.
const tables = 10

func tableName(i int) string { return fmt.Sprintf("t%d", i) }

// createTables makes tables of three columns with an index each, all but the first
// of which refer to the one before.
func createTables(t *testing.T, e *overlay.Engine) {
	t.Helper()
	ctx := context.Background()
	for i := range tables {
		refer := ""
		if i > 0 {
			refer = fmt.Sprintf(", FOREIGN KEY (parent) REFERENCES %s (id)", tableName(i-1))
		}
		for _, query := range []string{
			"CREATE TABLE %[1]s (id INTEGER PRIMARY KEY, parent INTEGER, name VARCHAR(40) NOT NULL%[2]s)",
			"CREATE INDEX i_%[1]s ON %[1]s (parent, name)",
		} {
			if _, err := e.ExecAsync(ctx, fmt.Sprintf(query, tableName(i), refer)).Await(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func openSQLite(t *testing.T) *overlay.Engine {
	return open(t, "sqlite3", "file:"+filepath.Join(t.TempDir(), "a.db"))
}

// openMariaDB makes a database of its own, so that nothing else is in its schema.
func openMariaDB(t *testing.T) *overlay.Engine {
	cfg := mariadb.Database(t)
	cfg.ParseTime = true
	return open(t, "mysql", cfg.FormatDSN())
}

func open(t *testing.T, driver, dsn string) *overlay.Engine {
	e, err := overlay.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	createTables(t, e)
	return e
}

// connect returns a connection of an engine's.
func connect(t *testing.T, e *overlay.Engine) *overlay.Conn {
	ctx := context.Background()
	c, err := e.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseAsync(ctx).Await(ctx) })
	return c
}
