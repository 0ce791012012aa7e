package tour

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3" // in place of mattn/go-sqlite3
)

func TestOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	db, err := sql.Open("aio", "sqlite3:app.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wrapped := db.Driver().(interface{ Unwrap() driver.Driver })
	if got := fmt.Sprintf("%T", wrapped.Unwrap()); got != "*sqlite3.SQLiteDriver" || db.Ping() != nil {
		t.Error(got, db.Ping())
	}
}
