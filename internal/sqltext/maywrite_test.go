package sqltext_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

func TestMayWrite(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                     false,
		"SELECT 1":                             false,
		" -- a comment\nVALUES (1)":            false,
		"WITH a AS (SELECT 1) SELECT * FROM a": false,
		"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a": true,
		"INSERT INTO t VALUES (1) RETURNING k":               true,
		"SELECT 1; DELETE FROM t":                            true,
		"EXPLAIN QUERY PLAN DELETE FROM t":                   false,
		"EXPLAIN SELECT 1; DELETE FROM t":                    true,
		"CREATE TABLE t (k)":                                 true,
		"VACUUM":                                             true,
		"BEGIN":                                              true,
		"SAVEPOINT a":                                        true,
		"COMMIT":                                             false,
		"ROLLBACK TO a":                                      false,
		"COMMIT; BEGIN":                                      true,
		"PRAGMA query_only = 1":                              false,
		"PRAGMA table_info(t)":                               false,
		"pragma main.user_version = 7":                       true,
		"PRAGMA \"user_version\" = 7":                        true,
		"PRAGMA wal_checkpoint(TRUNCATE)":                    true,
		"PRAGMA foreign_keys = 1; PRAGMA user_version = 7":   true,
		"/* INSERT */ SELECT 'INSERT' -- DELETE":             false,
	} {
		if got := sqltext.MayWrite(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
