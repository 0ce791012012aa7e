package eyes_test

import (
	"context"
	"database/sql"
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
