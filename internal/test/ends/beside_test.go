package ends

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// In autocommit SQLite commits as the last writing statement ends. As long as one is
// streamed, nothing else is done on its Conn that would share its fate.
func TestCallsBesideAStreamedWrite(t *testing.T) {
	const text = `INSERT INTO t SELECT i FROM (WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n LIMIT 1000)
		SELECT i FROM n) RETURNING k`
	for name, call := range map[string]func(*overlay.Conn) error{
		"ExecAsync":  func(c *overlay.Conn) error { _, err := c.ExecAsync(bg, insert1).Await(bg); return err },
		"BeginAsync": func(c *overlay.Conn) error { _, err := c.BeginAsync(bg, nil).Await(bg); return err },
		"SyncConn":   func(c *overlay.Conn) error { _, err := c.SyncConn().ExecContext(bg, insert1); return err },
	} {
		t.Run(name, func(t *testing.T) {
			d := onSQLite(t)
			c := d.connect(t)
			r, err := c.StreamAsync(bg, text).Await(bg)
			noError(t, err)
			if err := call(c); !errors.Is(err, overlay.ErrStreamOpen) {
				t.Errorf("%v, want ErrStreamOpen", err)
			}
			_, err = r.FetchAllAsync(bg).Await(bg)
			d.check(t, 100, err)
			noError(t, call(c))
		})
	}
	t.Run("in a transaction", func(t *testing.T) {
		d := onSQLite(t)
		noError(t, d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			r, err := c.StreamAsync(ctx, text).Await(ctx)
			noError(t, err)
			d.do(t, c, insert1)
			_, err = r.CloseAsync(ctx).Await(ctx)
			return err
		}))
		d.check(t, 1, nil)
	})
}

// The context of a sql.Tx of SyncConn has ended: what the Conn does next is not rolled back
// with it.
func TestConnAfterASyncTxWhoseContextEnds(t *testing.T) {
	d := onSQLite(t)
	c := d.connect(t)
	for range 20 {
		ctx, cancel := context.WithCancel(bg)
		tx, err := c.SyncConn().BeginTx(ctx, nil)
		noError(t, err)
		_, err = tx.ExecContext(bg, insert2)
		noError(t, err)
		cancel()
		_, err = c.ExecAsync(bg, insert1).Await(bg)
		for c.InTransaction() { // until database/sql has rolled back
			_, _ = overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(bg)
		}
		d.check(t, 1, err)
		d.do(t, c, "DELETE FROM t")
	}
}
