package main

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	_ "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

// A site is one database as a program holds it: through aio and through the
// overlay, with the book in which its writers enter their answers.
type site struct {
	driver string // "sqlite3" or "mysql"
	db     *sql.DB
	engine *overlay.Engine
	tell   func(belief, error)
	pad    []byte // goes into every row
	wrong  func(format string, args ...any)

	lastUnit atomic.Int64
}

const (
	insert   = "INSERT INTO writes (id, unit, size, pad) VALUES (?, ?, ?, ?)"
	counters = 4 // rows that writers update to get in each other's way
)

// openSite opens a database both ways.
func openSite(driver, dsn string, tell func(belief, error)) (*site, error) {
	db, err := sql.Open("aio", driver+":"+dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(6)
	db.SetMaxIdleConns(3)
	engine, err := overlay.Open(driver, dsn, overlay.WithLanes(2))
	if err != nil {
		db.Close()
		return nil, err
	}
	engine.SyncDB().SetMaxOpenConns(10)
	return &site{driver: driver, db: db, engine: engine, tell: tell, wrong: func(string, ...any) {}}, nil
}

// sqliteDSN is that of a file in WAL mode, durable at every commit.
func sqliteDSN(file string) string {
	return "file:" + file + "?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000"
}

// openBare opens a database by the inner driver, to look at what is there.
func openBare(driver, dsn string) (*sql.DB, error) { return sql.Open(driver, dsn) }

// createTables makes the tables that the ways write to.
func createTables(ctx context.Context, bare *sql.DB) error {
	for _, query := range []string{
		"CREATE TABLE writes (id BIGINT PRIMARY KEY, unit BIGINT NOT NULL, size INT NOT NULL, pad BLOB)",
		"CREATE TABLE counters (id INT PRIMARY KEY, n BIGINT NOT NULL)",
	} {
		if _, err := bare.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	for i := range counters {
		if _, err := bare.ExecContext(ctx, "INSERT INTO counters VALUES (?, 0)", i); err != nil {
			return err
		}
	}
	return nil
}

// unit returns the number of a new unit, which may have up to 8 rows.
func (s *site) unit() int64 { return s.lastUnit.Add(1) }

// row returns the arguments of insert for one row of a unit.
func (s *site) row(unit int64, size, i int) []any {
	return []any{rowID(unit, i), unit, size, s.pad}
}

func rowID(unit int64, i int) int64 { return unit<<3 | int64(i) }

// rows returns those for all rows of a unit.
func (s *site) rows(unit int64, size int) [][]any {
	sets := make([][]any, size)
	for i := range sets {
		sets[i] = s.row(unit, size, i)
	}
	return sets
}

// statement returns a batch's statement for one row.
func (s *site) statement(unit int64, size, i int) overlay.Statement {
	return overlay.Statement{Query: insert, Args: s.row(unit, size, i)}
}

// close shuts the site down and reports, in r, what does not end in time.
func (s *site) close(r *report) {
	const limit = 5 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if inTime(limit+grace, func() {
		if err := s.engine.Shutdown(ctx); err != nil {
			r.notef("%s: Shutdown: %v", s.driver, err)
		}
	}) {
		if d, ok := ctx.Deadline(); ok && time.Until(d) <= 0 {
			r.notef("%s: Shutdown took all of its %v", s.driver, limit)
		}
	} else {
		r.Hung++
		r.notef("hung: %s: Shutdown is not back %v after its deadline", s.driver, grace)
	}
	if !inTime(limit, func() { s.db.Close() }) {
		r.Hung++
		r.notef("hung: %s: sql.DB.Close is not back after %v", s.driver, limit)
	}
}

// inTime reports whether fn returns within a time. It goes on otherwise.
func inTime(limit time.Duration, fn func()) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
		return true
	case <-time.After(limit):
		printGoroutines(fmt.Sprintf("a call is not back after %v", limit))
		return false
	}
}
