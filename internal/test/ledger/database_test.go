package ledger_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/mariadb"
	"github.com/sqlaio/sqlaio/overlay"
)

const (
	insert          = "INSERT INTO ledger (id) VALUES (?)"
	insertReturning = "INSERT INTO ledger (id) VALUES (?) RETURNING id"
)

// A database is an empty one of a test's own, with its ledger.
type database struct {
	name        string
	driver, dsn string
	memory      bool // only the engine's one connection sees it
	maria       bool
	bank        *bank // nil: a real one

	l       *ledger
	engines []*overlay.Engine
}

// onEach runs a test on every real kind of database.
func onEach(t *testing.T, fn func(t *testing.T, db *database)) {
	t.Helper()
	onSQLite(t, fn)
	onMariaDB(t, fn)
}

func onSQLite(t *testing.T, fn func(t *testing.T, db *database)) {
	t.Helper()
	onFiles(t, fn)
	t.Run("memory", func(t *testing.T) { fn(t, sqliteMemory()) })
}

func onFiles(t *testing.T, fn func(t *testing.T, db *database)) {
	t.Helper()
	for _, journal := range []string{"WAL", "DELETE"} {
		t.Run(journal, func(t *testing.T) { fn(t, sqliteFile(t, journal)) })
	}
}

func sqliteFile(t *testing.T, journal string) *database {
	t.Helper()
	dsn := filepath.Join(t.TempDir(), "ledger.db") + "?_synchronous=OFF&_busy_timeout=2000&_journal_mode=" + journal
	db := &database{name: journal, driver: "sqlite3", dsn: dsn, l: newLedger()}
	db.bare(t, "CREATE TABLE ledger (id INTEGER NOT NULL, k INTEGER UNIQUE, data BLOB)")
	return db
}

func sqliteMemory() *database {
	return &database{name: "memory", driver: "sqlite3", dsn: ":memory:", memory: true, l: newLedger()}
}

func onMariaDB(t *testing.T, fn func(t *testing.T, db *database)) {
	t.Helper()
	t.Run("MariaDB", func(t *testing.T) { fn(t, mariaDB(t)) })
}

// mariaDB makes a database on the server that the test's end drops.
func mariaDB(t *testing.T) *database {
	t.Helper()
	cfg := mariadb.Database(t)
	cfg.MultiStatements = true
	db := &database{name: "MariaDB", driver: "mysql", dsn: cfg.FormatDSN(), maria: true, l: newLedger()}
	db.bare(t, "CREATE TABLE ledger (id BIGINT NOT NULL, k BIGINT UNIQUE, data BLOB) ENGINE=InnoDB")
	return db
}

// open returns a new engine on the database.
func (db *database) open(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open(db.driver, db.dsn, opts...)
	noError(t, "open", err)
	t.Cleanup(func() { db.shut(t, e) })
	db.engines = append(db.engines, e)
	if db.memory {
		must(t, "create the table", e.ExecAsync(background, "CREATE TABLE ledger (id INTEGER NOT NULL, k INTEGER UNIQUE, data BLOB)"))
	}
	return e
}

// lanes is overlay.WithLanes, where there can be several.
func (db *database) lanes(n int) overlay.Option {
	if db.memory {
		n = 1
	}
	return overlay.WithLanes(n)
}

// shut shuts an engine down; a second time is harmless.
func (db *database) shut(t *testing.T, e *overlay.Engine) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(background, patience/3)
		defer cancel()
		done <- e.Shutdown(ctx)
	}()
	select {
	case err := <-done:
		// The pool returns what its driver says of closing a connection that is lost.
		if err != nil && !(db.maria && err.Error() == "bad connection") {
			t.Errorf("Shutdown: %v", err)
		}
	case <-time.After(patience):
		t.Errorf("Shutdown does not return")
	}
}

// openBare opens the database through the bare driver.
func (db *database) openBare(t *testing.T) *sql.DB {
	t.Helper()
	b, err := sql.Open(db.driver, db.dsn)
	noError(t, "open", err)
	t.Cleanup(func() { b.Close() })
	return b
}

// bare executes statements through the bare driver.
func (db *database) bare(t *testing.T, statements ...string) {
	t.Helper()
	b := db.openBare(t)
	defer b.Close()
	for _, s := range statements {
		_, err := b.ExecContext(bounded(t), s)
		noError(t, s, err)
	}
}

// rows returns how often each id is in the table, as somebody sees it who has nothing
// to do with the engine.
func (db *database) rows(t *testing.T) map[int64]int {
	t.Helper()
	switch {
	case db.bank != nil:
		return db.bank.rows()
	case db.memory:
		have := make(map[int64]int)
		e := db.engines[0]
		r := must(t, "read the table", e.QueryAsync(bounded(t), "SELECT id FROM ledger"))
		for _, row := range must(t, "read the rows", r.FetchAllAsync(bounded(t))) {
			have[idOf(t, row.Values()[0])]++
		}
		return have
	}
	b := db.openBare(t)
	defer b.Close()
	rows, err := b.QueryContext(bounded(t), "SELECT id FROM ledger")
	noError(t, "read the table", err)
	defer rows.Close()
	have := make(map[int64]int)
	for rows.Next() {
		var id any
		noError(t, "read a row", rows.Scan(&id))
		have[idOf(t, id)]++
	}
	noError(t, "read the rows", rows.Err())
	return have
}

// noID stands for an id that is none.
const noID = -1

// idOf returns the id in a row.
func idOf(t *testing.T, v any) int64 {
	t.Helper()
	id, ok := v.(int64)
	if !ok {
		t.Errorf("wrong: a row has the id %v", v)
		return noID
	}
	return id
}

// check sees that the database is free for others, shuts the engines down, and
// compares what is there with the ledger.
func (db *database) check(t *testing.T) {
	t.Helper()
	if db.memory {
		db.l.check(t, db.rows(t))
	}
	db.wantFree(t)
	for _, e := range db.engines {
		db.shut(t, e)
	}
	if !db.memory {
		db.l.check(t, db.rows(t))
	}
}

// wantFree fails the test if a transaction is open.
func (db *database) wantFree(t *testing.T) {
	t.Helper()
	switch {
	case db.bank != nil:
		start := time.Now()
		for db.bank.openTxs() > 0 && time.Since(start) < 3*time.Second {
			time.Sleep(time.Millisecond)
		}
		if n := db.bank.openTxs(); n != 0 {
			t.Errorf("%d transactions are open", n)
		}
	case db.memory:
		_, err := outcome(t, "BEGIN", db.engines[0].BatchAsync(bounded(t), []overlay.Statement{{Query: "BEGIN"}, {Query: "ROLLBACK"}}))
		if err != nil {
			t.Errorf("a transaction is open: %v", err)
		}
	case db.maria:
		b := db.openBare(t)
		defer b.Close()
		var n int
		for start := time.Now(); ; time.Sleep(pollEvery) {
			noError(t, "count transactions", b.QueryRowContext(bounded(t), openTxs).Scan(&n))
			if n == 0 {
				return
			}
			if time.Since(start) > 3*time.Second {
				t.Errorf("%d transactions are open", n)
				return
			}
		}
	default:
		b, err := sql.Open(db.driver, db.dsn+"&_busy_timeout=3000&_txlock=immediate")
		noError(t, "open", err)
		defer b.Close()
		tx, err := b.Begin()
		if err != nil {
			t.Errorf("a transaction is open: %v", err)
			return
		}
		tx.Rollback()
	}
}

// openTxs counts the transactions of the database's other connections.
const openTxs = `SELECT count(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p
	ON p.id = t.trx_mysql_thread_id WHERE p.db = DATABASE() AND p.id <> CONNECTION_ID()`

// sleepy is an insert of one row that takes longer than any test.
func (db *database) sleepy() string {
	if db.maria {
		return "INSERT INTO ledger (id, k) SELECT ?, SLEEP(60)"
	}
	return "INSERT INTO ledger (id, k) SELECT ?, (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000000000) SELECT max(n) FROM c)"
}

// later makes some writes for callers who have done nothing wrong.
func (db *database) later(t *testing.T, e *overlay.Engine) {
	t.Helper()
	for range 5 {
		id := db.l.next("a later caller")
		_, err := outcome(t, "a later caller's insert", e.ExecAsync(background, insert, id))
		if db.l.told(id, err) != nil {
			t.Errorf("a later caller's insert: %v", err)
			return
		}
	}
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// again returns a new database of the same kind.
func again(t *testing.T, db *database) *database {
	t.Helper()
	switch {
	case db.bank != nil:
		return newBank(db.driver)
	case db.memory:
		return sqliteMemory()
	case db.maria:
		return mariaDB(t)
	}
	return sqliteFile(t, db.name)
}
