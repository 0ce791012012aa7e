//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// slowDB opens a file whose connections have a function nap(ms) that returns ms.
func slowDB(t *testing.T) *sql.DB {
	d := aio.Wrap(&sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("nap", func(ms int64) int64 {
			time.Sleep(time.Duration(ms) * time.Millisecond)
			return ms
		}, false)
	}})
	c, err := d.(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	t.Cleanup(func() { db.Close() })
	return db
}

// A result of few rows gives its lane back by itself, also if they come slowly.
func TestShortResultsNeedNoClosing(t *testing.T) {
	ctx := context.Background()
	e := overlay.New(slowDB(t), overlay.WithLanes(1))
	defer e.Shutdown(ctx)
	for range 3 {
		r, err := e.QueryAsync(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20) SELECT i, nap(2) FROM n").Await(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// The only lane is needed for this, and nobody reads the rows.
		if _, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx); err != nil {
			t.Fatal(err)
		}
		rows, err := r.FetchAllAsync(ctx).Await(ctx)
		if err != nil || len(rows) != 20 {
			t.Fatal(len(rows), err)
		}
	}
}
