//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

// A function that SQL calls is on its connection's thread too.
func TestAnSQLFunctionWaitsForAnotherThread(t *testing.T) {
	ctx := context.Background()
	other, _ := guarded(t)
	d := aio.Wrap(&sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("elsewhere", func() (int64, error) {
			var n int64
			return n, other.SyncDB().QueryRowContext(ctx, "SELECT 1").Scan(&n)
		}, false)
	}})
	c, err := d.(driver.DriverContext).OpenConnector(filepath.Join(t.TempDir(), "b.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	defer db.Close()
	r := warnings.Record(t)
	var n int
	if err := db.QueryRowContext(ctx, "SELECT elsewhere()").Scan(&n); err != nil {
		t.Fatal(err)
	}
	if w := only(t, r); w.Message != reflectguard.ThreadMessage {
		t.Error(w)
	}
}
