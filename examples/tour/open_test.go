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
	inner := db.Driver().(interface{ Unwrap() driver.Driver }).Unwrap()
	if got := fmt.Sprintf("%T", inner); got != "*sqlite3.SQLiteDriver" || db.Ping() != nil {
		t.Error(got, db.Ping())
	}
}
