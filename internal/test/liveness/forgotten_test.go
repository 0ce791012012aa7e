package liveness_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

var errOwn = errors.New("the function's own error")

// forgets is what a function does that does not clean up. ctx ends meanwhile.
var forgets = map[string]func(ctx context.Context, c *sql.Conn) error{
	"rows": func(ctx context.Context, c *sql.Conn) error {
		rows, err := c.QueryContext(ctx, seriesQuery)
		if err == nil {
			rows.Next()
		}
		return err
	},
	"unread rows": func(ctx context.Context, c *sql.Conn) error {
		_, err := c.QueryContext(ctx, seriesQuery)
		return err
	},
	"a transaction": func(ctx context.Context, c *sql.Conn) error {
		_, err := c.BeginTx(ctx, nil)
		return err
	},
	"a transaction that does not end with the context": func(_ context.Context, c *sql.Conn) error {
		tx, err := c.BeginTx(background, nil)
		if err == nil {
			forgotten <- tx
		}
		return err
	},
	"a plain BEGIN": func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, "BEGIN")
		return err
	},
	"a transaction and rows in it": func(ctx context.Context, c *sql.Conn) error {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, seriesQuery)
		if err == nil {
			rows.Next()
		}
		return err
	},
	"a statement and its rows": func(ctx context.Context, c *sql.Conn) error {
		s, err := c.PrepareContext(ctx, seriesQuery)
		if err != nil {
			return err
		}
		_, err = s.QueryContext(ctx)
		return err
	},
	"rows that do not end with the context": func(_ context.Context, c *sql.Conn) error {
		_, err := c.QueryContext(background, seriesQuery)
		return err
	},
}

// seriesQuery returns more rows than are read ahead, on SQLite and MariaDB.
const seriesQuery = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 900) SELECT a.n FROM c a JOIN c b WHERE b.n < 20"

// whens are the moments at which the context of such a function ends.
var whens = map[string]func(ctx context.Context, cancel context.CancelFunc) error{
	"while it runs": func(ctx context.Context, cancel context.CancelFunc) error {
		cancel()
		<-ctx.Done()
		time.Sleep(2 * time.Millisecond) // database/sql's goroutine is on its way
		return nil
	},
	"as it returns": func(_ context.Context, cancel context.CancelFunc) error {
		go cancel()
		return nil
	},
	"as it fails": func(_ context.Context, cancel context.CancelFunc) error {
		go cancel()
		return errOwn
	},
	"as it panics": func(_ context.Context, cancel context.CancelFunc) error {
		go cancel()
		panic(errOwn)
	},
}

func testForgotten(t *testing.T, driver, dsn string) {
	for what, forget := range forgets {
		for when, end := range whens {
			t.Run(what+" "+when, func(t *testing.T) {
				alone(t)
				e := open(t, driver, dsn, overlay.WithLanes(1))
				c := connect(t, e)
				for name, to := range map[string]overlay.Target{"an Engine": e, "a Conn": c} {
					for range 3 {
						ctx, cancel := context.WithCancel(bounded(t))
						f := overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) {
							// A Conn may keep a transaction for its owner: BEGIN fails then.
							if err := forget(ctx, c); err != nil && to == overlay.Target(e) {
								t.Errorf("%s on %s: %v", what, name, err)
							}
							return 1, end(ctx, cancel)
						})
						outcome(t, soon, "the function on "+name, f)
						cancel()
						n, err := outcome(t, soon, "the next call on "+name, overlay.Scalar[int](bounded(t), to, "SELECT 42"))
						if err != nil || n != 42 {
							t.Errorf("the next call on %s: %v, %v", name, n, err)
						}
					}
				}
				_, err := outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
				noError(t, "CloseAsync", err)
			})
		}
	}
}

func TestAFunctionForgetsWhatItOpenedAndItsContextEnds(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testForgotten(t, "sqlite3", newFile(t)+"?_busy_timeout=5000") })
	t.Run("MariaDB", func(t *testing.T) {
		testForgotten(t, "mysql", mariaDB(t, "liveness_forgotten").FormatDSN())
	})
}
