package sqltext_test

import (
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

func TestReturnsRows(t *testing.T) {
	for _, c := range []struct {
		in   in
		text string
		want bool
	}{
		{all, "", false},
		{all, ";;", false},
		{all, "-- nothing", false},
		{all, "SELECT 1", true},
		{all, "select 1;", true},
		{all, "  \n SELECT 1", true},
		{all, "/* c */ -- d\n SELECT 1", true},
		{in{m, u}, "# c\nSELECT 1", true},
		{in{p}, "/* /* */ INSERT */ SELECT 1", true},
		{in{m}, "/*!40000 SELECT 1 */", true},
		{in{m}, "/*!40101 SET NAMES utf8 */;", false},
		{all, "(SELECT 1) UNION (SELECT 2)", true},
		{all, "((SELECT 1))", true},
		{all, "( VALUES (1) )", true},
		{all, "(WITH x AS (SELECT 1) SELECT * FROM x)", true},
		{all, "VALUES (1, 2)", true},
		{in{m, p}, "TABLE t", true},
		{in{u, m, p}, "SELECT a INTO b FROM t", false},
		{in{m}, "SELECT a FROM t INTO OUTFILE '/tmp/x'", false},
		{all, "SELECT a FROM (SELECT 1 AS \"into\") x", true},
		{all, "SELECT t.into FROM t", true},
		{all, "SELECT * FROM t WHERE a IN (SELECT b INTO c)", true},
		{all, "INSERT INTO t VALUES (1)", false},
		{all, "INSERT INTO t VALUES (1) RETURNING id", true},
		{all, "INSERT INTO t VALUES (1) returning *", true},
		{all, "INSERT INTO t DEFAULT VALUES RETURNING id", true},
		{all, "INSERT INTO t SELECT * FROM u RETURNING id", true},
		{all, "INSERT INTO t SELECT * RETURNING id", true},
		{all, "INSERT INTO t (a) VALUES (?) ON CONFLICT DO UPDATE SET a = 1 RETURNING (a)", true},
		{all, "INSERT INTO t VALUES ('x RETURNING y')", false},
		{all, "INSERT INTO t VALUES (\"RETURNING\")", false},
		{all, "INSERT INTO t VALUES (1) -- RETURNING id", false},
		{all, "INSERT INTO t VALUES (1) /* RETURNING id */", false},
		{all, "INSERT INTO t (a, returning) VALUES (1, 2)", false},
		{all, "INSERT INTO t SELECT returning FROM u", false},
		{all, "INSERT INTO t SELECT a, returning FROM u", false},
		{all, "UPDATE t SET returning = 1", false},
		{all, "UPDATE t SET a = 1, returning = 2", false},
		{all, "UPDATE t SET a = t.returning", false},
		{all, "UPDATE t SET a = 1 WHERE returning = 1", false},
		{all, "UPDATE t SET a = (SELECT b FROM u) RETURNING a", true},
		{all, "UPDATE t SET a = 'x' RETURNING a", true},
		{all, "UPDATE t SET a = ? WHERE b = $1 RETURNING a, b", true},
		{all, "UPDATE t SET a = f(returning)", false},
		{all, "DELETE FROM t RETURNING id", true},
		{all, "DELETE FROM t", false},
		{all, "DELETE FROM \"returning\"", false},
		{in{m, l}, "REPLACE INTO t VALUES (1) RETURNING id", true},
		{in{m, l}, "REPLACE INTO t VALUES (1)", false},
		{in{p}, "MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE RETURNING a", true},
		{in{p}, "UPDATE t SET a[1] = 2, b = c[1] RETURNING a", true},
		{all, "WITH x AS (SELECT 1) SELECT * FROM x", true},
		{all, "WITH x (a, b) AS (SELECT 1, 2) SELECT * FROM x", true},
		{all, "WITH RECURSIVE x AS (SELECT 1 UNION SELECT 2) SELECT * FROM x", true},
		{in{p, l}, "WITH x AS NOT MATERIALIZED (SELECT 1), y AS (SELECT 2) INSERT INTO t SELECT * FROM x", false},
		{all, "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x RETURNING a", true},
		{all, "WITH x AS (SELECT 1) UPDATE t SET a = 1", false},
		{all, "WITH x AS (SELECT 1) DELETE FROM t", false},
		{all, "WITH x AS (SELECT 1) DELETE FROM t RETURNING a", true},
		{all, "WITH x AS (SELECT 1) VALUES (1)", true},
		{all, "WITH x AS (SELECT 1) (SELECT * FROM x)", true},
		{in{p}, "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM x", true},
		{in{p}, "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) UPDATE u SET b = 1", false},
		{in{p}, "WITH RECURSIVE x AS (SELECT 1) SEARCH DEPTH FIRST BY a SET b SELECT * FROM x", true},
		{in{l}, "WITH replace AS (SELECT 1) INSERT INTO t SELECT * FROM replace", false},
		{all, "WITH a AS (SELECT 1), update AS (SELECT 2) SELECT * FROM a", true},
		{in{l, u}, "PRAGMA table_info(t)", true},
		{in{l, u}, "PRAGMA journal_mode = WAL", true},
		{in{m, p, u}, "SHOW TABLES", true},
		{in{m, u}, "DESCRIBE t", true},
		{in{m, u}, "DESC t", true},
		{all, "EXPLAIN INSERT INTO t VALUES (1)", true},
		{in{l}, "EXPLAIN QUERY PLAN DELETE FROM t", true},
		{all, "CALL p(1)", true},
		{all, "EXECUTE s", true},
		{in{p}, "FETCH ALL FROM c", true},
		{in{m}, "ANALYZE TABLE t", true},
		{in{l, p, u}, "ANALYZE t", false},
		{in{m}, "CHECK TABLE t", true},
		{all, "CREATE TABLE t (a)", false},
		{all, "CREATE TABLE t AS SELECT 1", false},
		{all, "DROP TABLE t", false},
		{all, "ALTER TABLE t ADD returning int", false},
		{all, "BEGIN", false},
		{all, "COMMIT", false},
		{all, "SET a = 1", false},
		{all, "VACUUM", false},
		{all, "selected", false},
		{all, "'SELECT'", false},
		{in{p}, "DO $$ SELECT 1; $$", false},

		// Several statements.
		{all, "INSERT INTO t VALUES (1); SELECT 1", true},
		{all, "INSERT INTO t VALUES (1); SELECT 1; -- done", true},
		{in{l}, "SELECT 1; INSERT INTO t VALUES (1)", false},
		{in{u, m, p}, "SELECT 1; INSERT INTO t VALUES (1)", true},
		{all, "INSERT INTO t VALUES ('; SELECT 1')", false},
		{all, "INSERT INTO t VALUES (1); DELETE FROM t;", false},
		{in{l}, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END", false},
		{in{l}, "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; SELECT 1", true},
		{in{m, u}, "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END", false},
		{in{m}, "CREATE DEFINER = `a`@`b` TRIGGER r BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1; SELECT 1; END", false},
		{in{p}, "CREATE FUNCTION f() RETURNS int AS $$ SELECT 1; $$ LANGUAGE sql; SELECT f()", true},
	} {
		for _, d := range c.in {
			t.Run(fmt.Sprint(d, " ", c.text), func(t *testing.T) {
				if got := sqltext.ReturnsRows(c.text, d); got != c.want {
					t.Errorf("%v, want %v", got, c.want)
				}
			})
		}
	}
}
