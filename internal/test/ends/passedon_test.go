package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

func init() {
	aio.Register("puts", &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("put", func(k int64) (string, error) {
			_, err := c.Exec("INSERT INTO t VALUES (?)", []driver.Value{k})
			return "abc", err
		}, false)
	}})
}

// onPuts is onWriter with a function put that inserts a row: a query that calls it seems to
// read, is refused by a lane, and passed on to the writer.
func onPuts(t *testing.T) *database {
	d := onSQLite(t)
	var path string
	noError(t, d.bare.QueryRow("SELECT file FROM pragma_database_list").Scan(&path))
	e, err := overlay.Open("puts", path+"?_journal=WAL&_busy_timeout=1000", overlay.WithWriter(), overlay.WithResultLimit(1000))
	noError(t, err)
	t.Cleanup(func() { e.Shutdown(limit(t)) })
	d.Engine = e
	return d
}

// A call that is passed on to the writer, and made in what the writer waits for, fails at once.
func TestPassedOnWouldDeadlock(t *testing.T) {
	for name, call := range map[string]func(context.Context, *database) error{
		"a query": func(ctx context.Context, d *database) error {
			return errOf(overlay.Scalar[string](ctx, d, "SELECT put(1)").Await(ctx))
		},
		"a function": func(ctx context.Context, d *database) error {
			return errOf(overlay.RunInThread(ctx, d, func(ctx context.Context, c *sql.Conn) (int, error) {
				_, err := c.ExecContext(ctx, insert1)
				return 0, err
			}).Await(ctx))
		},
	} {
		for in, scope := range map[string]func(context.Context, *database, func(context.Context) error) error{
			"WithTx": func(ctx context.Context, d *database, fn func(context.Context) error) error {
				return d.WithTx(ctx, nil, func(ctx context.Context, _ *overlay.Conn) error { return fn(ctx) })
			},
			"Write": func(ctx context.Context, d *database, fn func(context.Context) error) error {
				return errOf(overlay.Write(ctx, d.Engine, func(ctx context.Context, _ *sql.Conn) (int, error) { return 0, fn(ctx) }).Await(bg))
			},
		} {
			t.Run(name+" in "+in, func(t *testing.T) {
				d := onPuts(t)
				err := scope(limit(t), d, func(ctx context.Context) error { return call(ctx, d) })
				if !errors.Is(err, overlay.ErrWouldDeadlock) {
					t.Errorf("%v, want ErrWouldDeadlock", err)
				}
				if d.has(t, 1) {
					t.Error("the row is kept")
				}
			})
		}
	}
}

// A query that was passed on may have written: what it returns is not bounded, and a row of it
// that does not fit does not deny the write.
func TestPassedOnRowDoesNotFit(t *testing.T) {
	type other struct{ X int }
	for name, call := range map[string]func(*database) error{
		"Scalar":  func(d *database) error { return errOf(overlay.Scalar[int](bg, d, "SELECT put(1)").Await(bg)) },
		"One":     func(d *database) error { return errOf(overlay.One[other](bg, d, "SELECT put(1) AS s").Await(bg)) },
		"Collect": func(d *database) error { return errOf(overlay.Collect[exits](bg, d, "SELECT put(1) AS s").Await(bg)) },
	} {
		t.Run(name, func(t *testing.T) {
			d := onPuts(t)
			if err := call(d); !errors.Is(err, overlay.ErrOutcomeUnknown) || !d.has(t, 1) {
				t.Errorf("%v, and kept: %v; want ErrOutcomeUnknown", err, d.has(t, 1))
			}
		})
	}
	d := onPuts(t)
	d.check(t, 2000, errOf(d.QueryAsync(bg, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT put(i) FROM n").Await(bg)))
}

// A query that a reading lane has refused, since its function writes, is the writer's: left
// after its deadline it does not deny the write.
func TestPassedOnIsLeft(t *testing.T) {
	driver := fmt.Sprint("bumps", registered.Add(1))
	aio.Register(driver, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("bump", func() (int64, error) {
			_, err := c.Exec("INSERT INTO t VALUES (1)", nil)
			if err == nil {
				time.Sleep(400 * time.Millisecond)
			}
			return 1, err
		}, false)
	}})
	e, err := overlay.Open(driver, filepath.Join(t.TempDir(), "a.db"), overlay.WithWriter())
	noError(t, err)
	_, err = e.ExecAsync(bg, "CREATE TABLE t (k INTEGER)").Await(bg)
	noError(t, err)
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	if _, err = e.ScalarAsync(ctx, "SELECT bump()").Await(bg); !errors.Is(err, overlay.ErrOutcomeUnknown) {
		t.Errorf("%v, want ErrOutcomeUnknown", err)
	}
	noError(t, e.Shutdown(limit(t)))
}
