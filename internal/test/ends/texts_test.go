package ends

import (
	"context"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// Texts that commit and begin, after something that other databases read in another way.
func TestTextsAreReadAsTheirDatabaseReadsThem(t *testing.T) {
	for _, on := range []struct {
		open  func(*testing.T) *database
		texts []string
	}{
		{onSQLite, []string{
			`INSERT INTO s VALUES ('C:\'); COMMIT; BEGIN`,
			"INSERT INTO [t-1] VALUES (1); COMMIT; BEGIN",
			`INSERT INTO "a\" VALUES ('x'); COMMIT; BEGIN`,
		}},
		{onMariaDB, []string{
			`INSERT INTO s VALUES ('it\'s'); COMMIT; START TRANSACTION`,
			"INSERT INTO s VALUES (4--1); COMMIT; START TRANSACTION",
			"INSERT INTO s VALUES (3); # it's done\nCOMMIT; START TRANSACTION",
		}},
	} {
		d := on.open(t)
		d.do(t, d, "CREATE TABLE s (x TEXT)")
		if d.cfg == nil {
			d.do(t, d, "CREATE TABLE [t-1] (x TEXT)")
			d.do(t, d, `CREATE TABLE "a\" (x TEXT)`)
		}
		for _, text := range on.texts {
			t.Run(text, func(t *testing.T) {
				d.do(t, d, "DELETE FROM t")
				d.check(t, 1, d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
					d.do(t, c, insert1)
					d.do(t, c, text)
					return errMine
				}))
				d.do(t, d, "DELETE FROM t")
				results, err := d.BatchAsync(bg, []overlay.Statement{
					{Query: insert1}, {Query: text}, {Query: "INSERT INTO nowhere VALUES (1)"},
				}, overlay.InTx(nil)).Await(bg)
				t.Log(err)
				d.check(t, 1, results[0].Err)
			})
		}
	}
}

// Two statements, of which the second is stopped, or fails after it has committed.
func TestMinusMinusBeginsNoComment(t *testing.T) {
	d := onMariaDB(t)
	const text = "INSERT INTO t VALUES (0--1); "
	for name, exec := range map[string]func(context.Context, string) error{
		"overlay": func(ctx context.Context, text string) error { _, err := d.ExecAsync(ctx, text).Await(bg); return err },
		"sql.DB":  func(ctx context.Context, text string) error { _, err := d.SyncDB().ExecContext(ctx, text); return err },
	} {
		t.Run("stopped, "+name, func(t *testing.T) {
			d.do(t, d, "DELETE FROM t")
			ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
			defer cancel()
			d.check(t, 1, exec(ctx, text+"SELECT SLEEP(5)"))
		})
	}
	t.Run("failed", func(t *testing.T) {
		d.do(t, d, "DELETE FROM t")
		d.check(t, 1, d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			d.do(t, c, insert1)
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (4--1); CREATE TABLE u (k INTEGER)").Await(ctx)
			return err
		}))
	})
}

// A write after a query in one text is carried out, though it takes longer than the closing
// of rows that nobody wants.
func TestWriteAfterQueryInText(t *testing.T) {
	d := onMariaDB(t)
	const text = "SELECT 1--1; UPDATE t SET k = 1 WHERE k = 5"
	for name, run := range map[string]func() error{
		"Scalar":     func() error { _, err := overlay.Scalar[int](bg, d, text).Await(bg); return err },
		"QueryAsync": func() error { _, err := d.QueryAsync(bg, text).Await(bg); return err },
		"StreamAsync": func() error {
			r, err := d.StreamAsync(bg, text).Await(bg)
			if err != nil {
				return err
			}
			_, err = r.CloseAsync(bg).Await(bg)
			return err
		},
		"sql.DB": func() error { var n int; return d.SyncDB().QueryRow(text).Scan(&n) },
	} {
		t.Run(name, func(t *testing.T) {
			d.do(t, d, "DELETE FROM t")
			d.do(t, d, "INSERT INTO t VALUES (5)")
			other, err := d.bare.Begin()
			noError(t, err)
			_, err = other.Exec("UPDATE t SET k = 6 WHERE k = 5")
			noError(t, err)
			time.AfterFunc(100*time.Millisecond, func() { other.Rollback() })
			err = run()
			d.check(t, 1, err)
		})
	}
}
