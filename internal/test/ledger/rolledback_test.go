package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// These tests have SQLite roll a transaction back by itself. It is over for everybody
// then: no later statement of it is carried out, and the commit says so.

const insertOrRollback = "INSERT OR ROLLBACK INTO ledger (id, k) VALUES (?, 1)"

// taken writes the row whose key is 1.
func (db *database) taken(t *testing.T, e *overlay.Engine) {
	t.Helper()
	id := db.l.next("the key's owner")
	db.l.told(id, nil)
	must(t, "insert", e.ExecAsync(background, "INSERT INTO ledger (id, k) VALUES (?, 1)", id))
}

// onScopes runs steps in each scope that keep accepts, on a database of its own, and checks
// the ledger. The scope must return an error if fails says so.
func onScopes(t *testing.T, db *database, keep func(s scope) bool, fails bool, prepare func(t *testing.T, db *database, e *overlay.Engine), steps []step) {
	t.Helper()
	for _, s := range scopes() {
		if !keep(s) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			db := again(t, db)
			e := db.open(t)
			prepare(t, db, e)
			err := within(t, s.name, func() error { return s.run(background, e, db.l, steps) })
			if fails && err == nil && s.name != "RetryTx" { // which may have made it again
				t.Error("no error: the transaction was rolled back, and nobody is told")
			}
			db.later(t, e)
			db.check(t)
		})
	}
}

func anyScope(scope) bool { return true }

func notBatch(s scope) bool { return !strings.Contains(s.name, "Batch") }

func nothing(*testing.T, *database, *overlay.Engine) {}

func takeKey(t *testing.T, db *database, e *overlay.Engine) { db.taken(t, e) }

func TestRollbackOnConflict(t *testing.T) {
	rolled := step{query: insertOrRollback, row: true}
	for name, steps := range map[string][]step{
		"first":  {rolled, row, row},
		"middle": {row, rolled, row},
		"last":   {row, row, rolled},
		"twice":  {rolled, row, rolled, row},
	} {
		t.Run(name, func(t *testing.T) {
			onSQLite(t, func(t *testing.T, db *database) { onScopes(t, db, anyScope, true, takeKey, steps) })
		})
	}
}

func TestRollbackByTrigger(t *testing.T) {
	prepare := func(t *testing.T, db *database, e *overlay.Engine) {
		must(t, "trigger", e.ExecAsync(background, `CREATE TRIGGER refuse BEFORE INSERT ON ledger WHEN NEW.k = 7
			BEGIN SELECT RAISE(ROLLBACK, 'refused'); END`))
	}
	onScopes(t, sqliteFile(t, "WAL"), anyScope, true, prepare, []step{
		row,
		{query: "INSERT INTO ledger (id, k) VALUES (?, 7)", row: true},
		row,
	})
}

// An interrupted write takes SQLite's whole transaction along, and on MariaDB only itself.
func TestInterruptedWriteInATransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		onScopes(t, db, notBatch, false, nothing, []step{
			row, {query: db.sleepy(), row: true, stopped: true}, row,
		})
	})
}

// A statement that fails alone leaves its transaction as it is.
func TestFailedStatementCostsNothingElse(t *testing.T) {
	steps := []step{
		row,
		{query: "INSERT INTO ledger (id, k) VALUES (?, 1)", row: true},
		row,
	}
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		db.taken(t, e)
		for _, s := range scopes() {
			err := within(t, s.name, func() error { return s.run(background, e, db.l, steps) })
			if err != nil && s.kind != byBatch && s.name != "WithNested whose error is swallowed" {
				t.Errorf("%s: %v", s.name, err)
			}
		}
		db.check(t)
	})
}

// ExecMany meets the rollback with each set of arguments in turn.
func TestRollbackInExecMany(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *database) {
		e := db.open(t)
		db.taken(t, e)
		for _, o := range batchOptions {
			for at := range 3 {
				for _, to := range targets {
					g := db.l.begin("ExecMany" + o.name)
					ids := []int64{g.next(), g.next(), g.next()}
					var sets [][]any
					for i, id := range ids {
						var key any
						if i == at {
							key = 1
						}
						sets = append(sets, []any{id, key})
					}
					var results []overlay.BatchResult
					err := within(t, "ExecMany", func() error {
						return to.with(background, e, func(to target) (err error) {
							results, err = to.ExecManyAsync(background, "INSERT OR ROLLBACK INTO ledger (id, k) VALUES (?, ?)", sets, o.opts...).Await(background)
							return err
						})
					})
					if err == nil {
						t.Errorf("%s%s: no error", to.name, o.name)
					}
					tellBatch(g, ids, o.inTx, o.keepGoing, results, err)
				}
			}
		}
		db.later(t, e)
		db.check(t)
	})
}

// Nothing reads in a transaction that is over: it would see others' writes.
func TestQueriesInARolledBackTransactionAreRefused(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *database) {
		e := db.open(t)
		db.taken(t, e)
		err := within(t, "WithTx", func() error {
			return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				c.ExecAsync(ctx, insertOrRollback, 1000).Await(ctx)
				for name, err := range map[string]error{
					"ScalarAsync": errOf(c.ScalarAsync(ctx, "SELECT count(*) FROM ledger").Await(ctx)),
					"QueryAsync":  errOf(c.QueryAsync(ctx, "SELECT id FROM ledger").Await(ctx)),
					"RunInThread": errOf(overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (n int, err error) {
						return n, c.QueryRowContext(ctx, "SELECT count(*) FROM ledger").Scan(&n)
					}).Await(ctx)),
				} {
					if err == nil {
						t.Errorf("%s was carried out outside of its transaction", name)
					}
				}
				if c.InTransaction() {
					t.Error("InTransaction is true")
				}
				return nil
			})
		})
		if err == nil {
			t.Error("WithTx returned nil")
		}
		tx, err := e.SyncDB().BeginTx(bounded(t), nil)
		noError(t, "BeginTx", err)
		defer tx.Rollback()
		if _, err := tx.Exec(insertOrRollback, 1000); err == nil {
			t.Fatal("the key is there twice")
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM ledger").Scan(&n); err == nil {
			t.Error("a query of a sql.Tx was carried out outside of it")
		}
		if err := tx.Commit(); err == nil || errors.Is(err, sql.ErrTxDone) {
			t.Errorf("Commit: %v; want that the database has rolled back", err)
		}
	})
}
