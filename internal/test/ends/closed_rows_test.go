package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"slices"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// Rows that were closed in a function on the thread have nothing of the query after theirs,
// which may use what they needed.
func TestClosedRowsOnTheThread(t *testing.T) {
	d := onSQLite(t)
	_, err := overlay.RunInThread(bg, d.Engine, func(ctx context.Context, c *sql.Conn) (int, error) {
		return 0, c.Raw(func(dc any) error {
			query := func(text string) driver.Rows {
				rows, err := dc.(driver.QueryerContext).QueryContext(ctx, text, nil)
				noError(t, err)
				return rows
			}
			first := query("SELECT 1 AS a, 2 AS b")
			first.Columns() // this driver knows them from then on
			noError(t, first.Close())
			second := query("SELECT 3 AS c UNION SELECT 4")
			row := make([]driver.Value, 1)
			noError(t, second.Next(row))
			for range 2 {
				if err := first.Next(make([]driver.Value, 2)); err == nil {
					t.Errorf("closed rows have a row more: %v", err)
				}
				noError(t, first.Close())
				if first.(driver.RowsNextResultSet).HasNextResultSet() {
					t.Error("closed rows have another result set")
				}
			}
			if cols := first.Columns(); !slices.Equal(cols, []string{"a", "b"}) {
				t.Errorf("closed rows have the columns %q", cols)
			}
			noError(t, second.Next(row))
			if row[0] != int64(4) {
				t.Errorf("%v, want 4", row)
			}
			if err := second.Next(row); err != io.EOF {
				t.Error(err)
			}
			noError(t, second.Close())
			return nil
		})
	}).Await(bg)
	noError(t, err)
}
