package overlay_test

import (
	"context"
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

// A testDB is an empty database of a test's own.
type testDB struct {
	ctx          context.Context // ends if the test hangs
	driver, dsn  string
	memory       bool // there is but one connection
	maria        bool
	e            *overlay.Engine
	auto         string // makes a primary key a counter
	sleepyQuery  string // runs for long, and returns one row
	sleepyInsert string // into people, likewise
}

func onEach(t *testing.T, fn func(t *testing.T, db *testDB), opts ...overlay.Option) {
	t.Run("memory", func(t *testing.T) {
		fn(t, newTestDB(t, &testDB{driver: "sqlite3", dsn: ":memory:", memory: true}, opts))
	})
	onShared(t, fn, opts...)
}

// onShared is onEach for what needs two connections.
func onShared(t *testing.T, fn func(t *testing.T, db *testDB), opts ...overlay.Option) {
	onSQLite(t, fn, opts...)
	onMariaDB(t, fn, opts...)
}

func onSQLite(t *testing.T, fn func(t *testing.T, db *testDB), opts ...overlay.Option) {
	t.Run("file", func(t *testing.T) {
		dsn := filepath.Join(t.TempDir(), "test.db") + "?_journal=WAL&_busy_timeout=10000"
		fn(t, newTestDB(t, &testDB{driver: "sqlite3", dsn: dsn}, opts))
	})
}

func onMariaDB(t *testing.T, fn func(t *testing.T, db *testDB), opts ...overlay.Option) {
	t.Run("MariaDB", func(t *testing.T) {
		fn(t, newTestDB(t, &testDB{driver: "mysql", dsn: mariadb.Database(t).FormatDSN(), maria: true}, opts))
	})
}

func newTestDB(t *testing.T, db *testDB, opts []overlay.Option) *testDB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	db.ctx = ctx
	db.sleepyQuery = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000000) SELECT max(n) FROM c"
	if db.maria {
		db.auto = "AUTO_INCREMENT"
		// No SLEEP: a killed one may report success, or end two seconds late.
		db.sleepyQuery = "SELECT COUNT(*) FROM seq_1_to_1000000 a, seq_1_to_1000000 b"
	}
	db.sleepyInsert = "INSERT INTO people (name) " + db.sleepyQuery
	db.e = db.open(t, opts...)
	return db
}

// open makes another engine on the database.
func (db *testDB) open(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open(db.driver, db.dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Error("Shutdown: ", err)
		}
	})
	return e
}

// scripts makes another engine on the database, which takes several statements in a text.
func (db *testDB) scripts(t *testing.T) *overlay.Engine {
	t.Helper()
	if !db.maria {
		return db.open(t)
	}
	cfg, err := mysql.ParseDSN(db.dsn)
	noError(t, err)
	cfg.MultiStatements = true
	e, err := overlay.Open(db.driver, cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, e.Shutdown(background)) })
	return e
}

// slow returns the name of the database on a network that keeps back the answer to a statement.
func (db *testDB) slow(t *testing.T, statement string, by time.Duration) (dsn string) {
	t.Helper()
	cfg, err := mysql.ParseDSN(db.dsn)
	noError(t, err)
	network, through := proxy.Before(t, cfg)
	network.Delay(statement, by)
	return through.FormatDSN()
}

// people makes a table with rows of these names, whose ids count from 1.
func (db *testDB) people(t *testing.T, names ...string) {
	t.Helper()
	must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE people (id INTEGER PRIMARY KEY "+db.auto+", name VARCHAR(40) NOT NULL)"))
	sets := make([][]any, len(names))
	for i, name := range names {
		sets[i] = []any{name}
	}
	must(t, db.e.ExecManyAsync(db.ctx, insertPerson, sets, overlay.InTx(nil)))
}

const insertPerson = "INSERT INTO people (name) VALUES (?)"

// many is more names than one batch of rows has.
func many() []string {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprint("n", i+1)
	}
	return names
}

// count returns how many people there are.
func count(t *testing.T, db *testDB, to overlay.Target) int {
	t.Helper()
	return must(t, overlay.Scalar[int](db.ctx, to, "SELECT count(*) FROM people"))
}

func (db *testDB) wantPeople(t *testing.T, want int) {
	t.Helper()
	if n := count(t, db, db.e); n != want {
		t.Errorf("%d people, want %d", n, want)
	}
}

func (db *testDB) connect(t *testing.T) *overlay.Conn {
	t.Helper()
	return must(t, db.e.ConnectAsync(db.ctx))
}

func (db *testDB) close(t *testing.T, c *overlay.Conn) {
	t.Helper()
	must(t, c.CloseAsync(db.ctx))
}
