package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// The context of a transaction on a SyncConn ends.
func TestSyncConnAfterTxContext(t *testing.T) {
	for drv, open := range map[string]func() (string, *sql.DB){
		"sqlite3": func() (string, *sql.DB) { return file(t, "", "CREATE TABLE t (id INTEGER)") },
		"mysql":   func() (string, *sql.DB) { return maria(t, "CREATE TABLE t (id BIGINT)") },
	} {
		t.Run(drv, func(t *testing.T) {
			dsn, bare := open()
			e := engine(t, drv, dsn)
			use := func(what string, sc func() *sql.Conn) {
				ctx, cancel := context.WithCancel(bg)
				tx, err := sc().BeginTx(ctx, nil)
				ok(t, "begin", err)
				_, err = tx.Exec("INSERT INTO t VALUES (1)")
				ok(t, "insert", err)
				cancel()
				time.Sleep(20 * time.Millisecond)
				for range 2 {
					_, err = sc().ExecContext(bg, "INSERT INTO t VALUES (2)")
					t.Logf("%s: insert after the transaction's context has ended: %v", what, err)
				}
			}
			bc, err := bare.Conn(bg)
			ok(t, "conn", err)
			use("bare sql.Conn", func() *sql.Conn { return bc })
			bc.Close()
			ac, err := e.SyncDB().Conn(bg)
			ok(t, "conn", err)
			use("aio sql.Conn", func() *sql.Conn { return ac })
			ac.Close()
			e.WithConn(bg, func(ctx context.Context, c *overlay.Conn) error {
				use("SyncConn", c.SyncConn)
				_, err := c.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
				t.Log("ExecAsync on the same Conn:", err)
				return nil
			})
			_, err = overlay.RunInThread(bg, e, func(ctx context.Context, c *sql.Conn) (int, error) {
				use("RunInThread", func() *sql.Conn { return c })
				return 0, nil
			}).Await(bg)
			t.Log("RunInThread:", err)
		})
	}
}

type partly struct{ error }

func (p partly) Error() string { return "half of it is done: " + p.error.Error() }
func (p partly) Unwrap() error { return p.error }

// A function of RunInThread's wraps the error of a statement that was stopped.
func TestFunctionsErrorStopped(t *testing.T) {
	dsn, bare := file(t, "", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	for _, how := range []string{"cancel", "deadline"} {
		bare.Exec("DELETE FROM t")
		ctx, cancel := context.WithCancel(bg)
		if how == "deadline" {
			ctx, cancel = context.WithTimeout(bg, 50*time.Millisecond)
		} else {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
			if _, err := c.ExecContext(ctx, "INSERT INTO t VALUES (1)"); err != nil {
				return 0, err
			}
			if _, err := c.ExecContext(ctx, "INSERT INTO t SELECT n FROM ("+long2+")"); err != nil {
				return 0, partly{err}
			}
			return 0, nil
		}).Await(bg)
		var p partly
		t.Logf("%s: %v (the function's error: %v; unknown: %v); rows %d", how, err, errors.As(err, &p), errors.Is(err, overlay.ErrOutcomeUnknown), rows(t, bare, "SELECT count(*) FROM t"))
		cancel()
	}
}
