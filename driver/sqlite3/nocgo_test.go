//go:build !cgo

package sqlite3_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
)

func TestWithoutCgoTheErrorSaysSo(t *testing.T) {
	db, err := sql.Open("aio", "sqlite3:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ping(); err == nil || !strings.Contains(err.Error(), "requires cgo") {
		t.Errorf("got %v", err)
	}
}
