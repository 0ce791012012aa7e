package sqltext_test

import (
	"testing"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

func TestReadsOnly(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1":                                    true,
		"SELECT 1;":                                   true,
		"SELECT 1; -- end":                            true,
		" /* why */ select ';' FROM t":                true,
		"SELECT 'a''b'; ":                             true,
		"WITH x AS (SELECT 1) SELECT * FROM x":        true,
		"SHOW TABLES":                                 true,
		"SELECT 1; DELETE FROM t":                     false,
		"SELECT 1; INSERT INTO t VALUES (1)":          false,
		"SELECT 1 INTO OUTFILE 'x'":                   false,
		"SELECT * INTO copy FROM t":                   false,
		"SELECT 1; /*! DELETE FROM t */":              false,
		"WITH x AS (SELECT 1) INSERT INTO t SELECT 1": false,
		"INSERT INTO t VALUES (1) RETURNING id":       false,
		"EXPLAIN ANALYZE DELETE FROM t":               false,
		"SELECT COUNT(*) FROM t WHERE id IN (1, 2)":   true,
		"SELECT upper(name) FROM (SELECT 1) x":        true,
		"with recursive g(i) as (select 1 union all select i + 1 from g) select i from g": true,
		"with g(i) as not materialized (select f(1)) select i from g":                     false,
		"SELECT f(1)":             false,
		"SELECT f(1) AS x":        false,
		"SELECT `f` (1)":          false,
		"SELECT audit.log(1)":     false,
		"SELECT f/* count */(1)":  false,
		"SELECT f -- count\n(1)":  false,
		"SELECT audit$count(1)":   false,
		"SELECT nextval('s')":     false,
		"PRAGMA user_version = 1": false,
		"":                        false,
	} {
		if got := sqltext.ReadsOnly(text, sqltext.Unknown); got != want {
			t.Errorf("ReadsOnly(%q) = %v", text, got)
		}
	}
}

func TestSeveral(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1":              false,
		"SELECT 1;":             false,
		"SELECT ';'":            false,
		"SELECT ';' ; ; -- end": false,
		"SELECT 1; SELECT 2":    true,
		"BEGIN; COMMIT;":        true,
	} {
		if got := sqltext.Several(text, sqltext.Unknown); got != want {
			t.Errorf("Several(%q) = %v", text, got)
		}
	}
}

func TestMayCommit(t *testing.T) {
	for text, want := range map[string]bool{
		"INSERT INTO t VALUES (1)":     false,
		"/* why */ update t set a = 1": false,
		"ROLLBACK TO a":                false,
		"SELECT 1; SELECT 2":           false,
		"ALTER TABLE t ADD b INT":      true,
		"SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE t ADD b INT": true,
		"COMMIT; INSERT INTO nowhere SELECT":                              true,
		"INSERT INTO t VALUES (1); ALTER TABLE t ADD b INT":               true,
		"SELECT 1; SELECT ';'; ALTER TABLE t ADD b INT":                   true,
		"ROLLBACK; INSERT INTO t VALUES (1); INSERT INTO nowhere SELECT":  true,
		"RELEASE s; INSERT INTO nowhere SELECT":                           true,
		"EXECUTE IMMEDIATE 'ALTER TABLE t ADD b INT'":                     true,
		"INSERT INTO t VALUES ('\\'')":                                    false,
	} {
		if got := sqltext.MayCommit(text, sqltext.Unknown); got != want {
			t.Errorf("MayCommit(%q) = %v", text, got)
		}
	}
}

func TestControlOf(t *testing.T) {
	for text, want := range map[string]sqltext.Control{
		"CREATE TEMPORARY TABLE tt (a INT); COMMIT; BEGIN":      sqltext.Begins,
		"DO 1; COMMIT; START TRANSACTION":                       sqltext.Begins,
		"FOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR":    sqltext.Keeps,
		"IF 1 THEN BEGIN INSERT INTO t VALUES (1); END; END IF": sqltext.Keeps,
		"BEGIN my_proc(:1); END;":                               sqltext.Keeps,
		"BEGIN TRY SELECT 1; END TRY BEGIN CATCH END CATCH":     sqltext.Keeps,
		"SELECT 1":                              sqltext.Keeps,
		"INSERT INTO t VALUES ('COMMIT')":       sqltext.Keeps,
		"BEGIN":                                 sqltext.Begins,
		"begin immediate":                       sqltext.Begins,
		"-- now\nSTART TRANSACTION READ ONLY":   sqltext.Begins,
		"COMMIT AND CHAIN":                      sqltext.Chains,
		"COMMIT WORK AND CHAIN":                 sqltext.Chains,
		"COMMIT AND NO CHAIN":                   sqltext.Commits,
		"END TRANSACTION":                       sqltext.Commits,
		"ROLLBACK":                              sqltext.RollsBack,
		"ROLLBACK TO SAVEPOINT a":               sqltext.Keeps,
		"ROLLBACK WORK TO a":                    sqltext.Keeps,
		"ROLLBACK TRANSACTION TO a":             sqltext.Keeps,
		"BEGIN; INSERT INTO t VALUES (1)":       sqltext.Begins,
		"BEGIN; INSERT INTO t VALUES (1); END;": sqltext.Commits,
		"COMMIT; BEGIN":                         sqltext.Begins,
		"BEGIN NOT ATOMIC SELECT 1; END":        sqltext.Keeps,
		"CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM u; END": sqltext.Keeps,
		"SAVEPOINT a":                                   sqltext.Keeps,
		"CREATE TABLE u (a INT); BEGIN":                 sqltext.Begins,
		"COMMIT; DO 1; BEGIN":                           sqltext.Begins,
		"COMMIT; BEGIN; INSERT INTO nowhere VALUES (1)": sqltext.Begins,
		"IF 1 THEN INSERT INTO t VALUES (1); ELSE BEGIN DO 0; END; END IF": sqltext.Keeps,
		"IF 1 = 1 BEGIN INSERT INTO t VALUES (1); END":                     sqltext.Keeps,
	} {
		if got := sqltext.ControlOf(text, sqltext.Unknown); got != want {
			t.Errorf("ControlOf(%q) = %v", text, got)
		}
	}
}

// Unclear is the answer for a dialect that is not known, if the dialects disagree, and for
// a text that does not close a quote.
func TestControlDependsOnDialect(t *testing.T) {
	for text, want := range map[string]map[sqltext.Dialect]sqltext.Control{
		`SELECT 'don\'t; commit; later'`:                        {u: sqltext.Unclear, m: sqltext.Keeps},
		`INSERT INTO t VALUES ("say \"x; commit; y\"")`:         {u: sqltext.Unclear, m: sqltext.Keeps},
		"INSERT INTO t VALUES ('a') # it; commit; later":        {u: sqltext.Unclear, m: sqltext.Keeps},
		"/*!40000 COMMIT AND CHAIN */":                          {u: sqltext.Unclear, m: sqltext.Chains, l: sqltext.Keeps},
		`INSERT INTO t VALUES ('it\'s'); COMMIT; BEGIN`:         {u: sqltext.Unclear, m: sqltext.Begins, l: sqltext.Unclear},
		`INSERT INTO t VALUES ('C:\'); COMMIT; BEGIN`:           {u: sqltext.Unclear, m: sqltext.Unclear, l: sqltext.Begins},
		"INSERT INTO t VALUES (4--1); COMMIT; BEGIN":            {u: sqltext.Unclear, m: sqltext.Begins, l: sqltext.Keeps},
		"INSERT INTO [t-1] VALUES ('x'); COMMIT; BEGIN":         {u: sqltext.Begins, l: sqltext.Begins},
		"INSERT INTO t VALUES (1) /* it's done */; COMMIT":      {u: sqltext.Commits, l: sqltext.Commits, m: sqltext.Commits},
		"INSERT INTO t VALUES ('$a$'); COMMIT; BEGIN":           {u: sqltext.Begins, p: sqltext.Begins},
		"INSERT INTO t VALUES (1) -- it's done\n; COMMIT":       {u: sqltext.Commits, m: sqltext.Commits},
		"INSERT INTO t VALUES (1) # it's done\n; COMMIT; BEGIN": {u: sqltext.Unclear, m: sqltext.Begins},
	} {
		for d, want := range want {
			if got := sqltext.ControlOf(text, d); got != want {
				t.Errorf("ControlOf(%q, %v) = %v, want %v", text, d, got, want)
			}
		}
	}
}

// A text that may be read in two ways gets the cautious answer.
func TestDoubtfulTexts(t *testing.T) {
	for _, text := range []string{
		"SELECT 1--1; UPDATE t SET a = 1",
		`SELECT 'it\'s'; UPDATE t SET a = 1`,
		`SELECT 'C:\'; UPDATE t SET a = 1`,
		"SELECT 1 /*! ; UPDATE t SET a = 1 */",
		"SELECT 1 # it's\n; UPDATE t SET a = 1",
	} {
		switch {
		case !sqltext.Several(text, u):
			t.Errorf("Several(%q) = false", text)
		case !sqltext.MayChange(text, u):
			t.Errorf("MayChange(%q) = false", text)
		case sqltext.ReadsOnly(text, u):
			t.Errorf("ReadsOnly(%q) = true", text)
		}
	}
	for _, text := range []string{"INSERT INTO t VALUES (4--1); ALTER TABLE t ADD b INT", `INSERT INTO t VALUES ('it\'s'); DROP TABLE t`} {
		if !sqltext.MayCommit(text, u) {
			t.Errorf("MayCommit(%q) = false", text)
		}
	}
	if sqltext.ReadsOnly("SELECT 1--1; UPDATE t SET a = 1", m) {
		t.Error("MySQL reads 1--1 as 1 minus -1")
	}
}
