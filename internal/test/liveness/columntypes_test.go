package liveness_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// What an application does not ask for is not asked of the driver.
func TestColumnTypesAreAskedForOnlyByTheApplication(t *testing.T) {
	methods := []string{"Rows.ColumnTypeScanType", "Rows.ColumnTypeDatabaseTypeName", "Rows.ColumnTypeLength",
		"Rows.ColumnTypeNullable", "Rows.ColumnTypePrecisionScale"}
	asked := func(d *drivertest.Driver) (n int) {
		for _, m := range methods {
			n += d.Count(m)
		}
		return n
	}
	read := func(ctx context.Context, q interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}) (*sql.Rows, error) {
		rows, err := q.QueryContext(ctx, "rows 300")
		if err == nil {
			for range 3 {
				rows.Next()
			}
		}
		return rows, err
	}
	alone(t)
	d, db, e := fakeEngine(t, drivertest.Full)
	ctx := bounded(t)
	rows, err := read(ctx, db)
	noError(t, "QueryContext", err)
	noError(t, "Close", rows.Close())
	r := value(t, "QueryAsync", e.QueryAsync(ctx, "rows 300"))
	value(t, "FetchAllAsync", r.FetchAllAsync(ctx))
	value(t, "a function", overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		rows, err := read(ctx, c)
		if err != nil {
			return 0, err
		}
		return 1, rows.Close()
	}))
	if n := asked(d); n != 0 {
		t.Errorf("the driver was asked %d times for column types nobody wanted", n)
	}
	rows, err = read(ctx, db)
	noError(t, "QueryContext", err)
	_, err = rows.ColumnTypes()
	noError(t, "ColumnTypes", err)
	noError(t, "Close", rows.Close())
	if asked(d) == 0 {
		t.Error("the driver was not asked for the column types that the application wanted")
	}
}
