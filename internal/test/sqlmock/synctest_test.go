//go:build go1.25

package sqlmock

import (
	"context"
	"database/sql"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"

	_ "github.com/sqlaio/sqlaio/driver"
)

// In a bubble of testing/synctest time goes on while connections are idle, and while a
// statement takes an hour. The next bubble gets nothing that was made in the last one.
func TestSynctest(t *testing.T) {
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			const dsn = "synctest"
			db, mock, err := sqlmock.NewWithDSN(dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			mock.ExpectQuery("SELECT 1").WillDelayFor(time.Hour).WillReturnRows(sqlmock.NewRows([]string{"n"}).AddRow(1))
			mock.ExpectQuery("SELECT 2").WillReturnRows(sqlmock.NewRows([]string{"n"}).AddRow(2))
			mock.ExpectExec("INSERT").WillDelayFor(time.Hour).WillReturnResult(sqlmock.NewResult(1, 1))
			mock.ExpectClose()
			aio, err := sql.Open("aio", "sqlmock:"+dsn)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			for want := 1; want <= 2; want++ {
				var n int
				if err := aio.QueryRow([]string{1: "SELECT 1", 2: "SELECT 2"}[want]).Scan(&n); err != nil || n != want {
					t.Fatalf("%d, %v; want %d", n, err, want)
				}
			}
			time.Sleep(time.Hour) // beside an idle connection
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			if _, err := aio.ExecContext(ctx, "INSERT"); err == nil {
				t.Error("a statement that takes an hour ended within a minute")
			}
			cancel()
			if took := time.Since(start); took != 2*time.Hour+time.Minute {
				t.Errorf("it took %v, want 2h1m", took)
			}
			if err := aio.Close(); err != nil {
				t.Error(err)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			e, mock := overlaytest.New(t)
			mock.ExpectQuery("SELECT 1").WillDelayFor(time.Hour).WillReturnRows(sqlmock.NewRows([]string{"n"}).AddRow(1))
			mock.ExpectExec("INSERT").WillReturnResult(sqlmock.NewResult(1, 1))
			start := time.Now()
			f := e.ScalarAsync(t.Context(), "SELECT 1")
			time.Sleep(30 * time.Minute)
			if _, _, done := f.TryResult(); done {
				t.Error("a statement that takes an hour ended after half of one")
			}
			if v, err := f.Await(t.Context()); err != nil || v != int64(1) || time.Since(start) != time.Hour {
				t.Errorf("%v, %v after %v; want 1 after 1h", v, err, time.Since(start))
			}
			time.Sleep(time.Hour)
			if _, err := e.ExecAsync(t.Context(), "INSERT").Await(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
