package ends

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
	"github.com/sqlaio/sqlaio/overlay"
)

// leaves checks the error of a call that has inserted row 1 in a transaction and left that open.
func (d *database) leaves(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, overlay.ErrTxLeftOpen) || d.has(t, 1) {
		t.Errorf("%v, want ErrTxLeftOpen, and row 1 rolled back", err)
	}
}

// A call learns that it has left a transaction open, though the connection is lost before
// that can be rolled back.
func TestLeftOpenAndRollbackFails(t *testing.T) {
	const text = "BEGIN; " + insert1
	for name, exec := range map[string]func(*overlay.Engine) error{
		"ExecAsync":   func(e *overlay.Engine) error { _, err := e.ExecAsync(bg, text).Await(bg); return err },
		"ExecContext": func(e *overlay.Engine) error { _, err := e.ExecContext(bg, text); return err },
		"RunInThread": func(e *overlay.Engine) error {
			_, err := overlay.RunInThread(bg, e, func(ctx context.Context, sc *sql.Conn) (int, error) {
				_, err := sc.ExecContext(ctx, text)
				return 0, err
			}).Await(bg)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := onMariaDB(t)
			network, through := proxy.Before(t, d.cfg)
			network.At("ROLLBACK", func(c *proxy.Conn) bool { c.Close(); return false })
			e, err := overlay.Open("mysql", through.FormatDSN())
			noError(t, err)
			t.Cleanup(func() { e.Shutdown(limit(t)) })
			d.leaves(t, exec(e))
		})
	}
	t.Run("XA", func(t *testing.T) { // which ROLLBACK does not end
		d := onMariaDB(t)
		_, err := d.ExecAsync(bg, "XA START 'x'; "+insert1).Await(bg)
		d.leaves(t, err)
	})
}

// The same if the rollback takes longer than anybody waits for it.
func TestLeftOpenAndRollbackIsSlow(t *testing.T) {
	d := onMariaDB(t)
	e := d.slow(t, "ROLLBACK", 1000e6)
	_, err := e.ExecContext(bg, "BEGIN; "+insert1)
	d.leaves(t, err)
	err = e.RunCallable(bg, func(sc *sql.Conn) error { _, err := sc.ExecContext(bg, "BEGIN; "+insert1); return err })
	d.leaves(t, err)
}

// The same if the call had to look for a connection that works.
func TestLeftOpenAfterABadConnection(t *testing.T) {
	d := onMariaDB(t)
	d.SyncDB().SetMaxOpenConns(1)
	id, err := overlay.Scalar[int](bg, d, "SELECT CONNECTION_ID()").Await(bg)
	noError(t, err)
	_, err = d.bare.Exec(fmt.Sprint("KILL ", id))
	noError(t, err)
	for gone := false; !gone; {
		noError(t, d.bare.QueryRow("SELECT count(*) = 0 FROM information_schema.processlist WHERE id = ?", id).Scan(&gone))
	}
	_, err = d.ExecContext(bg, "BEGIN; "+insert1)
	d.leaves(t, err)
}

func TestStreamLeavesOpen(t *testing.T) {
	const text = "BEGIN; " + insert1 + "; SELECT 1 UNION ALL SELECT 2"
	d := onSQLite(t)
	r, err := d.StreamAsync(bg, text).Await(bg)
	noError(t, err)
	_, err = r.FetchAllAsync(bg).Await(bg)
	d.leaves(t, err)
	r, err = d.StreamAsync(bg, text).Await(bg)
	noError(t, err)
	_, err = r.CloseAsync(bg).Await(bg)
	d.leaves(t, err)
}

func TestWithConnLeavesOpen(t *testing.T) {
	for name, begin := range map[string]func(context.Context, *overlay.Conn) error{
		"text": func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "BEGIN").Await(ctx)
			return err
		},
		"BeginAsync": func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.BeginAsync(ctx, nil).Await(ctx)
			return err
		},
		"SyncConn": func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.SyncConn().BeginTx(limit(t), nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := onSQLite(t)
			insert := func(result error) error {
				return d.WithConn(bg, func(ctx context.Context, c *overlay.Conn) error {
					noError(t, begin(ctx, c))
					d.do(t, c, insert1)
					return result
				})
			}
			d.leaves(t, insert(nil))
			if err := insert(errMine); err != errMine {
				t.Errorf("%v, want %v", err, errMine)
			}
		})
	}
}
