package overlay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// What users print is one short line, which shows no data source name.
func TestStrings(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, "Ann", "Bob")
		e, err := overlay.Open(db.driver, db.dsn, overlay.WithLanes(1))
		if err != nil {
			t.Fatal(err)
		}
		dialect := overlay.SQLite
		if db.maria {
			dialect = overlay.MySQL
		}
		want := func(v fmt.Stringer, want string) {
			t.Helper()
			for _, got := range []string{v.String(), fmt.Sprint(v), fmt.Sprintf("%v %+v %s", v, v, v)} {
				if db.dsn != ":memory:" && strings.Contains(got, db.dsn) || strings.Contains(got, "password") || len(got) > 400 || strings.Contains(got, "\n") {
					t.Errorf("printed as %q", got)
				}
			}
			if v.String() != want {
				t.Errorf("printed as %q, want %q", v, want)
			}
		}
		want(e, fmt.Sprintf("overlay.Engine(%v, lanes 0, queued 0)", dialect))
		c := must(t, e.ConnectAsync(db.ctx))
		want(c, fmt.Sprintf("overlay.Conn(%v, idle)", dialect))
		tx := must(t, c.BeginAsync(db.ctx, nil))
		want(c, fmt.Sprintf("overlay.Conn(%v, in a transaction)", dialect))
		want(tx, "overlay.Tx(transaction, open)")
		savepoint := must(t, c.BeginNestedAsync(db.ctx))
		want(savepoint, "overlay.Tx(savepoint, open)")
		must(t, tx.CommitAsync(db.ctx))
		want(tx, "overlay.Tx(transaction, over)")
		want(savepoint, "overlay.Tx(savepoint, over)")
		release := occupy(t, c)
		f := overlay.Scalar[int](db.ctx, c, "SELECT 1")
		want(f, "overlay.Future[int](pending)")
		release()
		must(t, f)
		want(f, "overlay.Future[int](done)")
		table := "people"
		if db.memory { // this engine's database is another one
			table = "(SELECT 1 AS id, 'Ann' AS name UNION ALL SELECT 2, 'Bob')"
		}
		r := must(t, c.QueryAsync(db.ctx, "SELECT id, name FROM "+table+" ORDER BY id"))
		want(r, "overlay.Result(2 columns, 2 rows left)")
		row := must(t, r.FetchOneAsync(db.ctx))
		want(r, "overlay.Result(2 columns, 1 rows left)")
		want(row, "overlay.Row(id: 1, name: \"Ann\")")
		long := must(t, must(t, c.QueryAsync(db.ctx, "SELECT ? AS a, 2, 3, 4, 5, 6, 7, 8, 9", strings.Repeat("long\n", 100))).FirstAsync(db.ctx))
		if s := long.String(); len(s) > 200 || strings.Contains(s, "\n") || !strings.HasSuffix(s, ", …)") {
			t.Errorf("a long row is printed as %q", s)
		}
		want(must(t, c.QueryAsync(db.ctx, "CREATE TEMPORARY TABLE other (id INT)")), "overlay.Result(no rows)")
		want(must(t, c.ExecuteAsync(db.ctx, "INSERT INTO other VALUES (1), (2)")), "overlay.Result(2 rows affected)")
		stream := must(t, c.StreamAsync(db.ctx, "SELECT 1 AS n"))
		want(stream, "overlay.Result(stream of 1 columns)")
		must(t, stream.CloseAsync(db.ctx))
		must(t, c.CloseAsync(db.ctx))
		want(c, fmt.Sprintf("overlay.Conn(%v, closed)", dialect))
		failed := c.ScalarAsync(db.ctx, "SELECT 1")
		want(failed, "overlay.Future[interface {}](failed: overlay: closed)")
		failure(t, failed)
		noError(t, e.Shutdown(db.ctx))
	})
}
