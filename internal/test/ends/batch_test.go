package ends

import (
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

const (
	insert1 = "INSERT INTO t VALUES (1)"
	insert2 = "INSERT INTO t VALUES (2)"
	insert3 = "INSERT INTO t VALUES (3)"
)

// rows are the rows that statements insert, if they are not taken back.
var rows = map[string]int{
	insert1: 1, insert2: 2, insert3: 3,
	"COMMIT AND CHAIN; " + insert2:       2,
	"COMMIT; " + insert2:                 2,
	"COMMIT; SAVEPOINT s; " + insert2:    2,
	"RELEASE s; SAVEPOINT s; " + insert2: 2,
}

// The result of a statement in a batch says nothing that the table denies, whatever the
// texts do to the transaction.
func TestBatchWhoseTextsEndItsTransaction(t *testing.T) {
	const bad = "INSERT INTO nowhere VALUES (1)"
	for _, on := range []struct {
		name    string
		open    func(*testing.T) *database
		batches [][]string
	}{
		{"SQLite", onSQLite, [][]string{
			{"SAVEPOINT s", insert1, "RELEASE s; " + bad}, // the outermost one: commits
			{"SAVEPOINT s", insert1, "RELEASE s; SAVEPOINT s; " + insert2},
			{"BEGIN", insert1, "COMMIT; " + bad},
			{"BEGIN", insert1, "COMMIT; BEGIN; " + bad},
			{"BEGIN", insert1, "COMMIT; SAVEPOINT s; " + insert2},
		}},
		{"MariaDB", onMariaDB, [][]string{
			{"BEGIN", insert1, "CREATE TABLE u (k INTEGER)"}, // fails after it has committed
			{"BEGIN", insert1, "DROP TABLE nowhere"},
			{"BEGIN", insert1, "COMMIT; " + bad},
			{"BEGIN", insert1, "COMMIT; " + bad, insert3},
			{"BEGIN", insert1, "COMMIT AND CHAIN; " + insert2},
			{"SET autocommit = 0", insert1, "COMMIT; " + insert2},
			{"SET autocommit = 0", insert1, "CREATE TABLE v (k INTEGER); SELECT k FROM t", insert3, bad},
		}},
	} {
		for _, texts := range on.batches {
			t.Run(on.name+"/"+texts[0]+"/"+texts[2], func(t *testing.T) {
				d := on.open(t)
				var statements []overlay.Statement
				for _, text := range texts {
					statements = append(statements, overlay.Statement{Query: text})
				}
				results, err := d.BatchAsync(limit(t), statements).Await(bg)
				t.Log(err)
				for i, r := range results {
					if k := rows[texts[i]]; k != 0 {
						d.check(t, k, r.Err)
					}
				}
			})
		}
	}
}

// A batch in a transaction whose DDL fails: what came before it may be kept.
func TestBatchInTxWhoseDDLFails(t *testing.T) {
	d := onMariaDB(t)
	d.lockU(t)
	results, err := d.BatchAsync(limit(t), []overlay.Statement{
		{Query: "SET lock_wait_timeout = 1"}, {Query: insert1}, {Query: insert2 + "; ALTER TABLE u ADD a INTEGER"},
	}, overlay.InTx(nil)).Await(bg)
	t.Log(err)
	d.check(t, 1, results[1].Err)
}

// The statements after a text that has released the outermost savepoint, and failed.
func TestConnAfterRelease(t *testing.T) {
	d := onSQLite(t)
	c := d.connect(t)
	d.do(t, c, "SAVEPOINT s")
	d.do(t, c, insert1)
	_, err := c.ExecAsync(bg, "RELEASE s; INSERT INTO nowhere VALUES (1)").Await(bg)
	t.Log(err)
	_, err = c.ExecAsync(bg, insert2).Await(bg)
	d.check(t, 1, err)
}
