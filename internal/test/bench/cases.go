package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	_ "github.com/sqlaio/sqlaio/driver/mysql"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
)

var errSkipped = errors.New("skipped: SQLAIO_MARIADB is not set (make bench sets it)")

// work does something n times on a database.
type work func(ctx context.Context, db *sql.DB, n int) error

// newContext returns a context for a turn, and what ends it.
type newContext func() (context.Context, func())

func plainContext() (context.Context, func()) { return context.Background(), func() {} }
func cancellable() (context.Context, func())  { return context.WithCancel(context.Background()) }

func cases() []comparison {
	cs := []comparison{
		{name: "hop, hot (bare: a channel)", goal: goal{most: 500}, open: hop},
		sqlite("point query", goal{ratio: 1.3}, 1, plainContext, pointQuery),
		sqlite("prepared point query", goal{ratio: 1.4}, 1, plainContext, preparedQuery),
		sqlite("insert in a transaction", goal{ratio: 1.6}, 1, plainContext, insertInTx),
		sqlite("point query, cancellable", goal{ratio: 1}, 1, cancellable, pointQuery),
		sqlite("prepared point query, cancellable", goal{ratio: 1}, 1, cancellable, preparedQuery),
		sqlite("insert in a transaction, cancellable", goal{ratio: 1}, 1, cancellable, insertInTx),
		sqlite("scan of 10,000 rows × 5", goal{ratio: 0.9}, 1, plainContext, scan),
		sqlite("scan of 10,000 rows × 5, cancellable", goal{ratio: 0.9}, 1, cancellable, scan),
		sqlite("2 goroutines, 2 connections", goal{ratio: 2.5}, 2, plainContext, parallelQueries(2)),
		sqlite("64 goroutines, 1 connection", goal{ratio: 1}, 1, plainContext, parallelQueries(64)),
	}
	for _, conns := range []int{2, 4, 64} {
		cs = append(cs, sqlite(fmt.Sprintf("64 goroutines, %d connections", conns), goal{ratio: 3}, conns, plainContext, parallelQueries(64)))
	}
	return append(cs,
		mariadb("point query", goal{ratio: 0.8}, plainContext, pointQuery),
		mariadb("insert", goal{ratio: 1}, plainContext, insert),
		mariadb("scan of 10,000 rows × 5", goal{ratio: 1.1}, plainContext, scan),
		mariadb("point query, cancellable", goal{ratio: 0.8}, cancellable, pointQuery),
		mariadb("insert, cancellable", goal{ratio: 1}, cancellable, insert),
		mariadb("scan of 10,000 rows × 5, cancellable", goal{ratio: 1.1}, cancellable, scan),
	)
}

func compare(name string, goal goal, conns int, newCtx newContext, do work, open func() (b, a *sql.DB, clean func(), err error)) comparison {
	return comparison{name: name, goal: goal, open: func() (bare, aio side, err error) {
		b, a, clean, err := open()
		if err != nil {
			return bare, aio, err
		}
		half := func(db *sql.DB, after func()) side {
			db.SetMaxOpenConns(conns)
			db.SetMaxIdleConns(conns)
			return side{op: func(n int) error {
				ctx, cancel := newCtx()
				defer cancel()
				return do(ctx, db, n)
			}, close: func() { db.Close(); after() }}
		}
		return half(b, func() {}), half(a, clean), nil
	}}
}

func sqlite(name string, goal goal, conns int, ctx newContext, do work) comparison {
	return compare("SQLite: "+name, goal, conns, ctx, do, func() (b, a *sql.DB, clean func(), err error) {
		dir, err := os.MkdirTemp("", "aio-bench")
		if err != nil {
			return nil, nil, nil, err
		}
		clean = func() { os.RemoveAll(dir) }
		open := func(driver, prefix, file string) *sql.DB {
			var db *sql.DB
			if err == nil {
				db, err = sql.Open(driver, prefix+filepath.Join(dir, file)+"?_journal=WAL&_sync=NORMAL&_busy_timeout=10000")
			}
			if err == nil {
				err = fill(db)
			}
			return db
		}
		b, a = open("sqlite3", "", "bare.db"), open("aio", "sqlite3:", "aio.db")
		return b, a, clean, err
	})
}

func mariadb(name string, goal goal, ctx newContext, do work) comparison {
	return compare("MariaDB: "+name, goal, 1, ctx, do, func() (b, a *sql.DB, clean func(), err error) {
		dsn := os.Getenv("SQLAIO_MARIADB")
		if dsn == "" {
			return nil, nil, nil, errSkipped
		}
		if b, err = sql.Open("mysql", dsn); err != nil {
			return nil, nil, nil, err
		}
		if a, err = sql.Open("aio", "mysql:"+dsn); err != nil {
			return nil, nil, nil, err
		}
		return b, a, func() {}, fill(b)
	})
}

// fill makes a table of 10,000 rows × 5 columns and an empty one.
func fill(db *sql.DB) error {
	for _, q := range []string{
		"drop table if exists bench", "drop table if exists bench_log",
		"create table bench (id integer primary key, name varchar(40), age integer, score double, note varchar(80))",
		"create table bench_log (id integer, name varchar(40))",
	} {
		if _, err := db.Exec(q); err != nil {
			return err
		}
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range 10_000 {
		if _, err := tx.Exec("insert into bench values (?, ?, ?, ?, ?)", i, fmt.Sprint("name ", i), i%90, float64(i)/3, "a note of ordinary length, say"); err != nil {
			return err
		}
	}
	return tx.Commit()
}

var key atomic.Int64

func nextKey() int64 { return key.Add(7919) % 10_000 }

func readPoint(row *sql.Row) error {
	var name string
	var age int
	return row.Scan(&name, &age)
}

func pointQuery(ctx context.Context, db *sql.DB, n int) error {
	for range n {
		if err := readPoint(db.QueryRowContext(ctx, "select name, age from bench where id = ?", nextKey())); err != nil {
			return err
		}
	}
	return nil
}

func preparedQuery(ctx context.Context, db *sql.DB, n int) error {
	s, err := db.PrepareContext(ctx, "select name, age from bench where id = ?")
	if err != nil {
		return err
	}
	defer s.Close()
	for range n {
		if err := readPoint(s.QueryRowContext(ctx, nextKey())); err != nil {
			return err
		}
	}
	return nil
}

func insertInTx(ctx context.Context, db *sql.DB, n int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range n {
		if _, err := tx.ExecContext(ctx, "insert into bench_log values (?, ?)", i, "somebody"); err != nil {
			return err
		}
	}
	return nil
}

func insert(ctx context.Context, db *sql.DB, n int) error {
	for i := range n {
		if _, err := db.ExecContext(ctx, "insert into bench_log values (?, ?)", i, "somebody"); err != nil {
			return err
		}
	}
	_, err := db.ExecContext(ctx, "delete from bench_log")
	return err
}

func scan(ctx context.Context, db *sql.DB, n int) error {
	for range n {
		rows, err := db.QueryContext(ctx, "select id, name, age, score, note from bench")
		if err != nil {
			return err
		}
		count := 0
		for rows.Next() {
			var id, age int
			var name, note string
			var score float64
			if err := rows.Scan(&id, &name, &age, &score, &note); err != nil {
				return err
			}
			count++
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		if count != 10_000 {
			return fmt.Errorf("scan returned %d rows", count)
		}
	}
	return nil
}

func parallelQueries(goroutines int) work {
	return func(ctx context.Context, db *sql.DB, n int) error {
		var left atomic.Int64
		left.Store(int64(n))
		errs := make([]error, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for left.Add(-1) >= 0 && errs[g] == nil {
					errs[g] = pointQuery(ctx, db, 1)
				}
			}()
		}
		wg.Wait()
		return errors.Join(errs...)
	}
}
