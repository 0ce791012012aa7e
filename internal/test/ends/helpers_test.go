package ends

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/mariadb"
	"github.com/sqlaio/sqlaio/internal/test/proxy"
	"github.com/sqlaio/sqlaio/overlay"
)

var bg = context.Background()

// limit is a context that is long enough for everything.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(bg, 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// A database has an empty table t, and on MariaDB also u.
type database struct {
	*overlay.Engine
	bare *sql.DB       // without the shim
	cfg  *mysql.Config // nil: not MariaDB
}

// onSQLite returns a database in a file of its own.
func onSQLite(t *testing.T) *database {
	dsn := filepath.Join(t.TempDir(), "a.db") + "?_journal=WAL&_busy_timeout=1000"
	return opened(t, "sqlite3", dsn, nil)
}

// onMariaDB returns a database of its own on the test server.
func onMariaDB(t *testing.T) *database {
	cfg := mariadb.Database(t)
	cfg.MultiStatements = true
	d := opened(t, "mysql", cfg.FormatDSN(), cfg)
	d.do(t, d, "CREATE TABLE u (k INTEGER PRIMARY KEY)")
	return d
}

func opened(t *testing.T, driver, dsn string, cfg *mysql.Config) *database {
	e, err := overlay.Open(driver, dsn)
	noError(t, err)
	t.Cleanup(func() { e.Shutdown(limit(t)) })
	db, err := sql.Open(driver, dsn)
	noError(t, err)
	t.Cleanup(func() { db.Close() })
	d := &database{e, db, cfg}
	d.do(t, e, "CREATE TABLE t (k INTEGER PRIMARY KEY)")
	return d
}

// slow opens an engine on the database, on a network that keeps back the answer to a statement.
func (d *database) slow(t *testing.T, statement string, by time.Duration) *overlay.Engine {
	network, through := proxy.Before(t, d.cfg)
	network.Delay(statement, by)
	e, err := overlay.Open("mysql", through.FormatDSN())
	noError(t, err)
	t.Cleanup(func() { e.Shutdown(limit(t)) })
	return e
}

func (d *database) connect(t *testing.T) *overlay.Conn {
	c, err := d.ConnectAsync(bg).Await(bg)
	noError(t, err)
	t.Cleanup(func() { c.CloseAsync(bg).Await(bg) })
	return c
}

// executor is an Engine or a Conn.
type executor interface {
	ExecAsync(context.Context, string, ...any) *overlay.Future[sql.Result]
}

func (d *database) do(t *testing.T, to executor, query string) {
	t.Helper()
	if _, err := to.ExecAsync(bg, query).Await(bg); err != nil {
		t.Fatal(query, ": ", err)
	}
}

// has asks the bare driver whether a row is there.
func (d *database) has(t *testing.T, k int) (is bool) {
	t.Helper()
	noError(t, d.bare.QueryRow(fmt.Sprintf("SELECT count(*) > 0 FROM t WHERE k = %d", k)).Scan(&is))
	return is
}

// check fails the test if row k is there and err, of its transaction, denies it.
func (d *database) check(t *testing.T, k int, err error) {
	t.Helper()
	t.Log(err)
	switch is := d.has(t, k); {
	case is && err != nil && !unsure(err):
		t.Errorf("row %d is kept, though refused: %v", k, err)
	case !is && err == nil:
		t.Errorf("row %d is lost, though acknowledged", k)
	}
}

// lockU has somebody use u, so that DDL has to wait.
func (d *database) lockU(t *testing.T) {
	c := d.connect(t)
	d.do(t, c, "BEGIN")
	_, err := c.QueryAsync(bg, "SELECT * FROM u").Await(bg)
	noError(t, err)
}

// unsure reports whether an error leaves open what was kept.
func unsure(err error) bool {
	return errors.Is(err, overlay.ErrOutcomeUnknown) || errors.Is(err, overlay.ErrTxEnded)
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
