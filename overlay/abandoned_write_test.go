//go:build cgo

package overlay_test

import (
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A write whose rows nobody reads to the end is made to its end, as by database/sql.
func TestWriteIsNotAbandonedWithItsRows(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *parityDB) {
		await(t, db.e.ExecAsync(db.ctx, "CREATE TABLE big (id INT PRIMARY KEY)"))
		const insert = "INSERT INTO big SELECT seq FROM seq_1_to_200000 RETURNING id"
		for name, run := range map[string]func() error{
			"sql.DB": func() error { var id int; return db.e.SyncDB().QueryRow(insert).Scan(&id) },
			"Scalar": func() error { return second(overlay.Scalar[int](db.ctx, db.e, insert).Await(db.ctx)) },
			"FirstAsync": func() error {
				r, err := db.e.QueryAsync(db.ctx, insert).Await(db.ctx)
				if err != nil {
					return err
				}
				return second(r.FirstAsync(db.ctx).Await(db.ctx))
			},
			"CloseAsync": func() error {
				r, err := db.e.QueryAsync(db.ctx, insert).Await(db.ctx)
				if err != nil {
					return err
				}
				return second(r.CloseAsync(db.ctx).Await(db.ctx))
			},
		} {
			await(t, db.e.ExecAsync(db.ctx, "DELETE FROM big"))
			start := time.Now()
			err := run()
			took := time.Since(start)
			n := await(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM big"))
			if err == nil && n != 200000 {
				t.Errorf("%s: no error, and %d rows instead of 200000 (%v)", name, n, took)
			} else {
				t.Log(name, err, n, took)
			}
		}
	}, overlay.WithLanes(1))
}
