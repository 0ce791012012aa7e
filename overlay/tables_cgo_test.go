//go:build cgo

package overlay_test

import (
	"context"
	"database/sql/driver"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// Questions about tables close the rows that answer them, on a Conn too.
func TestTablesCloseTheirRows(t *testing.T) {
	var rows rowsDriver
	db := aio.OpenDB(&rows)
	defer db.Close()
	rows.dsn = filepath.Join(t.TempDir(), "a.db")
	e := overlay.New(db, overlay.WithDialect(overlay.SQLite), overlay.WithLanes(1))
	c := must(t, e.ConnectAsync(background))
	must(t, e.TableNamesAsync(background, overlay.On(c)))
	must(t, e.HasTableAsync(background, "t", overlay.On(c)))
	if n := rows.opened.Load(); n != 2 {
		t.Errorf("%d queries, want 2", n)
	}
	if n := rows.closed.Load(); n != 2 {
		t.Errorf("%d rows were closed, want 2", n)
	}
	must(t, c.CloseAsync(background))
	noError(t, e.Shutdown(background))
}

// rowsDriver is SQLite; it counts rows.
type rowsDriver struct {
	sqlite3.SQLiteDriver
	dsn            string
	opened, closed atomic.Int64
}

type rowsConn struct {
	*sqlite3.SQLiteConn
	d *rowsDriver
}

type countedRows struct {
	driver.Rows
	d *rowsDriver
}

func (d *rowsDriver) Driver() driver.Driver { return d }

func (d *rowsDriver) Connect(context.Context) (driver.Conn, error) {
	c, err := d.Open(d.dsn)
	if err != nil {
		return nil, err
	}
	return rowsConn{c.(*sqlite3.SQLiteConn), d}, nil
}

func (c rowsConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	c.d.opened.Add(1)
	return countedRows{rows, c.d}, nil
}

func (r countedRows) Close() error {
	r.d.closed.Add(1)
	return r.Rows.Close()
}
