//go:build cgo

package sqlite3_test

import (
	"database/sql"
	"testing"

	"github.com/sqlaio/sqlaio/warnings"
)

// The warning about a transaction that was left open shows the statement that began it,
// not the last one.
func TestWarningOfALeftTransactionCarriesItsStatement(t *testing.T) {
	recorded := warnings.Record(t)
	db, err := sql.Open("aio", "sqlite3:"+t.TempDir()+"/a.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, query := range []string{"CREATE TABLE t (a)", "BEGIN IMMEDIATE", "INSERT INTO t VALUES (1)"} {
		if _, err := c.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	all := recorded.All()
	if len(all) != 1 || all[0].Category() != warnings.Resource || all[0].Details().Statement != "BEGIN IMMEDIATE" {
		t.Errorf("warned of %v", all)
	}
}
