package overlay_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

func TestEngineOnAFile(t *testing.T) {
	ctx := context.Background()
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Shutdown(ctx)
	if _, err := e.ExecuteAsync(ctx, "create table t (id integer primary key, name text)").Await(ctx); err != nil {
		t.Fatal(err)
	}
	err = e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		for range 1000 {
			if _, err := c.ExecAsync(ctx, "insert into t (name) values (?)", "x").Await(ctx); err != nil {
				return err
			}
		}
		t.Log("in tx", c.InTransaction())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.ExecuteAsync(ctx, "select id, name from t").Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row, err := range r.Rows(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		var id int
		var name string
		if err := row.Scan(&id, &name); err != nil {
			t.Fatal(err)
		}
		n++
		if id != n || name != "x" {
			t.Fatal(id, name)
		}
	}
	if n != 1000 {
		t.Log(n)
		t.Fatal(n)
	}
	c, err := overlay.Scalar[int](ctx, e, "select count(*) from t").Await(ctx)
	t.Log(c, err)
	ok, err := e.HasTableAsync(ctx, "t").Await(ctx)
	names, err2 := e.TableNamesAsync(ctx).Await(ctx)
	t.Log(ok, err, names, err2)
	v, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (int, error) {
		var n int
		err := c.QueryRowContext(ctx, "select max(id) from t").Scan(&n)
		return n, err
	}).Await(ctx)
	t.Log(v, err, e.Stats())
}
