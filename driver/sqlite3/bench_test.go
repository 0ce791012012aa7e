//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"testing"
)

// BenchmarkQueryRow is a query of one row, bare and through the shim.
func BenchmarkQueryRow(b *testing.B) {
	for _, driver := range []string{"sqlite3", "aio"} {
		dsn := ":memory:"
		if driver == "aio" {
			dsn = "sqlite3:" + dsn
		}
		db, err := sql.Open(driver, dsn)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		for _, ctx := range []struct {
			name string
			ctx  func() (context.Context, context.CancelFunc)
		}{
			{"background", func() (context.Context, context.CancelFunc) { return context.Background(), func() {} }},
			{"cancellable", func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }},
		} {
			b.Run(driver+"/"+ctx.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					ctx, cancel := ctx.ctx()
					var id int64
					var name string
					if err := db.QueryRowContext(ctx, "SELECT ?, 'ann'", 7).Scan(&id, &name); err != nil {
						b.Fatal(err)
					}
					cancel()
				}
			})
		}
	}
}
