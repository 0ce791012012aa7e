//go:build cgo

package sqlite3_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	aiosqlite3 "github.com/sqlaio/sqlaio/driver/sqlite3"
)

func TestServerDSN(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20e.db")
	db, err := sql.Open("aio", "sqlite3:"+aiosqlite3.ServerDSN(path, "_synchronous=NORMAL"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "1", "busy_timeout": "5000", "foreign_keys": "1", "cache_size": "-16000",
	} {
		var got string
		if err := db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
