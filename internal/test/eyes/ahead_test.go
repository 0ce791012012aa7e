package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A write with RETURNING fails after its first row, which QueryRow reads alone: the
// thread has read ahead and met the error.
func TestReadAheadMeetsError(t *testing.T) {
	const fk = "INSERT INTO t VALUES (1, 99) RETURNING id"
	sqlite := func(t *testing.T) (string, *sql.DB) {
		return file(t, "&_foreign_keys=1", "CREATE TABLE p (id INTEGER PRIMARY KEY)", "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
	}
	busy := func(t *testing.T) (string, *sql.DB) {
		dsn, bare := file(t, "&_journal_mode=DELETE&_busy_timeout=50", "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER)", "INSERT INTO t VALUES (-1, 1)")
		tx, err := bare.Begin()
		ok(t, "begin", err)
		t.Cleanup(func() { tx.Rollback() })
		var n int
		ok(t, "read", tx.QueryRow("SELECT count(*) FROM t").Scan(&n))
		db, err := sql.Open("sqlite3", dsn)
		ok(t, "open", err)
		t.Cleanup(func() { db.Close() })
		return dsn, db
	}
	m := func(t *testing.T) (string, *sql.DB) {
		return maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
	}
	for _, c := range []struct {
		name, driver, insert string
		open                 func(*testing.T) (string, *sql.DB)
	}{
		{"deferred key", "sqlite3", fk, sqlite},
		{"locked", "sqlite3", fk, busy},
		{"MariaDB", "mysql", "INSERT INTO t SELECT IF(seq = 3, 1, seq) FROM seq_1_to_3 RETURNING id", m},
	} {
		t.Run(c.name, func(t *testing.T) {
			dsn, bare := c.open(t)
			db := aio(t, c.driver, dsn)
			e := engine(t, c.driver, dsn)
			look := func(what string, f func() error) {
				err := f()
				n := rows(t, bare, "SELECT count(*) FROM t WHERE id > 0")
				t.Logf("%s: %v; rows %d", what, err, n)
				if err == nil && n == 0 {
					t.Errorf("%s: LOST", what)
				}
			}
			row := func(db *sql.DB) func() error {
				return func() error { var id int; return db.QueryRow(c.insert).Scan(&id) }
			}
			closed := func(db *sql.DB) func() error {
				return func() error {
					rs, err := db.Query(c.insert)
					if err != nil {
						return err
					}
					rs.Next()
					return errors.Join(rs.Close(), rs.Err())
				}
			}
			prepared := func(db *sql.DB) func() error {
				return func() error {
					s, err := db.Prepare(c.insert)
					if err != nil {
						return err
					}
					defer s.Close()
					var id int
					return s.QueryRow().Scan(&id)
				}
			}
			look("bare QueryRow", row(bare))
			look("aio QueryRow", row(db))
			look("bare Query, Next, Close", closed(bare))
			look("aio Query, Next, Close", closed(db))
			look("bare Stmt.QueryRow", prepared(bare))
			look("aio Stmt.QueryRow", prepared(db))
			look("Scalar", func() error { _, err := overlay.Scalar[int](bg, e, c.insert).Await(bg); return err })
			look("QueryAsync", func() error { _, err := e.QueryAsync(bg, c.insert).Await(bg); return err })
			look("RunInThread QueryRow", func() error {
				_, err := overlay.RunInThread(bg, e, func(ctx context.Context, c2 *sql.Conn) (id int, err error) {
					return id, c2.QueryRowContext(ctx, c.insert).Scan(&id)
				}).Await(bg)
				return err
			})
			look("SyncConn QueryRow", func() error {
				return e.WithConn(bg, func(ctx context.Context, c2 *overlay.Conn) error {
					var id int
					return c2.SyncConn().QueryRowContext(ctx, c.insert).Scan(&id)
				})
			})
			look("StreamAsync, FirstAsync", func() error {
				r, err := e.StreamAsync(bg, c.insert).Await(bg)
				if err != nil {
					return err
				}
				_, err = r.FirstAsync(bg).Await(bg)
				return err
			})
			look("StreamAsync, FetchOneAsync, CloseAsync", func() error {
				r, err := e.StreamAsync(bg, c.insert).Await(bg)
				if err != nil {
					return err
				}
				if _, err = r.FetchOneAsync(bg).Await(bg); err != nil {
					return err
				}
				_, err = r.CloseAsync(bg).Await(bg)
				return err
			})
			look("WithTx, SyncConn QueryRow", func() error {
				return e.WithTx(bg, nil, func(ctx context.Context, c2 *overlay.Conn) error {
					var id int
					return c2.SyncConn().QueryRowContext(ctx, c.insert).Scan(&id)
				})
			})
		})
	}
}

// What is fatal to a connection inside a scope whose function returns nil.
func TestFatalInScope(t *testing.T) {
	fatal := map[string]func(ctx context.Context, c *overlay.Conn){
		"panic": func(ctx context.Context, c *overlay.Conn) {
			overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) { panic("x") }).Await(ctx)
		},
		"Goexit": func(ctx context.Context, c *overlay.Conn) {
			overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) { runtime.Goexit(); return 0, nil }).Await(ctx)
		},
		"Close": func(ctx context.Context, c *overlay.Conn) {
			overlay.RunInThread(ctx, c, func(_ context.Context, c *sql.Conn) (int, error) { return 0, c.Close() }).Await(ctx)
		},
		"SyncConn.Close": func(ctx context.Context, c *overlay.Conn) { c.SyncConn().Close() },
		"Raw": func(ctx context.Context, c *overlay.Conn) {
			c.SyncConn().Raw(func(dc any) error { return sql.ErrConnDone })
		},
		"CloseAsync": func(ctx context.Context, c *overlay.Conn) { c.CloseAsync(ctx) },
		"ROLLBACK":   func(ctx context.Context, c *overlay.Conn) { c.ExecAsync(ctx, "ROLLBACK").Await(ctx) },
		"ROLLBACK by SyncConn": func(ctx context.Context, c *overlay.Conn) {
			c.SyncConn().ExecContext(ctx, "ROLLBACK")
		},
		"ROLLBACK by Raw": func(ctx context.Context, c *overlay.Conn) {
			c.SyncConn().Raw(func(dc any) error {
				return nil
			})
		},
		"cancelled child": func(ctx context.Context, c *overlay.Conn) {
			child, cancel := context.WithCancel(ctx)
			f := c.ExecAsync(child, "INSERT INTO t SELECT n FROM ("+long2+")")
			cancel()
			f.Await(ctx)
		},
	}
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	for name, f := range fatal {
		for _, nested := range []bool{false, true} {
			bare.Exec("DELETE FROM t")
			err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
				ok(t, "insert", err)
				if nested {
					err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error { f(ctx, c); return nil })
					t.Logf("%s: WithNested: %v", name, err)
					return nil
				}
				f(ctx, c)
				return nil
			})
			n := rows(t, bare, "SELECT count(*) FROM t")
			t.Logf("%s, nested %v: WithTx: %v; rows %d", name, nested, err, n)
			if (err == nil) != (n == 1) {
				t.Errorf("%s: WRONG", name)
			}
		}
	}
}

const long2 = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000000000) SELECT max(n) AS n FROM c"
