package ledger_test

import (
	"context"
	"regexp"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A statement that succeeds can end the transaction that it stands in: DDL on MariaDB, a
// COMMIT or ROLLBACK in the text. What stood before it is committed then, or gone.

// ender is such a statement.
type ender struct {
	name, query string
	rollsBack   bool
}

func endersOf(db *database) []ender {
	if db.maria {
		return []ender{
			{"DDL", "CREATE TABLE made (n INT)", false},
			{"COMMIT", "COMMIT", false},
			{"ROLLBACK", "ROLLBACK", true},
			{"BEGIN", "BEGIN", false}, // commits, and leaves one open that nobody has asked for
		}
	}
	return []ender{
		{"COMMIT", "COMMIT", false},
		{"ROLLBACK", "ROLLBACK", true},
		{"commented", "/* done */ commit transaction", false},
	}
}

// says is what an error must contain that says what happened.
var says = regexp.MustCompile(`(?i)\bend|commit|\bover\b`)

// In WithTx, in a transaction by hand and in a batch later statements are refused, and the
// end is an error that says what happened.
func TestTransactionEndedByAStatement(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, en := range endersOf(db) {
			for name, run := range endedScopes() {
				t.Run(en.name+" in "+name, func(t *testing.T) {
					db := again(t, db)
					e := db.open(t)
					before, after := db.l.next("before"), db.l.next("after")
					var told error
					err := within(t, name, func() (err error) {
						told, err = run(e, []overlay.Statement{
							{Query: insert, Args: []any{before}},
							{Query: en.query},
							{Query: insert, Args: []any{after}},
						})
						return err
					})
					// What the statement has done with the row before it is the application's doing.
					if !en.rollsBack {
						db.l.told(before, nil)
					}
					if db.l.told(after, told) == nil {
						t.Error("a statement was carried out outside of its transaction")
					} else if !says.MatchString(told.Error()) {
						t.Errorf("the later statement's error does not say that the transaction has ended: %v", told)
					}
					if err == nil {
						t.Error("no error: the transaction was ended by a statement in it, and nobody is told")
					} else if !says.MatchString(err.Error()) {
						t.Errorf("the error does not say that the transaction has ended: %v", err)
					}
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// endedScopes run three statements. The first error is the last statement's, the second one
// that of the transaction.
func endedScopes() map[string]func(e *overlay.Engine, statements []overlay.Statement) (told, err error) {
	type statements = []overlay.Statement
	all := func(c *overlay.Conn, ss statements) (err error) {
		for _, s := range ss {
			err = errOf(c.ExecAsync(background, s.Query, s.Args...).Await(background))
		}
		return err
	}
	last := func(results []overlay.BatchResult, err error) (error, error) {
		if len(results) == 0 {
			return err, err
		}
		return results[len(results)-1].Err, err
	}
	scopes := map[string]func(e *overlay.Engine, ss statements) (told, err error){
		"WithTx": func(e *overlay.Engine, ss statements) (told, err error) {
			err = e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				told = all(c, ss)
				return nil
			})
			return told, err
		},
		"RetryTx": func(e *overlay.Engine, ss statements) (told, err error) {
			err = e.RetryTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				told = all(c, ss)
				return nil
			})
			return told, err
		},
		"WithNested": func(e *overlay.Engine, ss statements) (told, err error) {
			err = e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					told = all(c, ss)
					return nil
				})
				return nil
			})
			return told, err
		},
		"BeginAsync": func(e *overlay.Engine, ss statements) (told, err error) {
			err = e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
				tx, err := c.BeginAsync(ctx, nil).Await(ctx)
				if err != nil {
					return err
				}
				defer func() { tx.CloseAsync(ctx).Await(ctx) }()
				told = all(c, ss)
				return errOf(tx.CommitAsync(ctx).Await(ctx))
			})
			return told, err
		},
		"Batch in WithTx": func(e *overlay.Engine, ss statements) (told, err error) {
			err = e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				told, _ = last(c.BatchAsync(ctx, ss, overlay.InTx(nil), overlay.KeepGoing()).Await(ctx))
				return nil
			})
			return told, err
		},
	}
	for _, o := range batchOptions {
		if o.inTx {
			scopes["Batch"+o.name] = func(e *overlay.Engine, ss statements) (told, err error) {
				return last(e.BatchAsync(background, ss, o.opts...).Await(background))
			}
		}
	}
	return scopes
}

// InTransaction tells the truth about a transaction that a statement has ended.
func TestInTransactionAfterItsEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, en := range endersOf(db) {
			if en.name == "BEGIN" {
				continue
			}
			t.Run(en.name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t)
				within(t, "WithTx", func() error {
					return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
						if !c.InTransaction() {
							t.Error("InTransaction is false in a transaction")
						}
						c.ExecAsync(ctx, en.query).Await(ctx)
						if c.InTransaction() {
							t.Error("InTransaction is true after the end")
						}
						return errOnFall
					})
				})
				db.check(t)
			})
		}
	})
}

// In a sql.Tx all goes on as with the bare driver.
func TestSQLTxGoesOnAfterItsEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		if db.memory {
			t.Skip("the bare driver would have a database of its own")
		}
		for _, en := range endersOf(db) {
			for _, commit := range []bool{true, false} {
				t.Run(en.name, func(t *testing.T) {
					db := again(t, db)
					drop := "DROP TABLE IF EXISTS made"
					var bare []bool
					for _, name := range []string{db.driver, "aio"} {
						db.bare(t, "DELETE FROM ledger", drop)
						got := endedSQLTx(t, db, name, en.query, commit)
						have := db.rows(t)
						got = append(got, have[1] == 1, have[2] == 1)
						if bare == nil {
							bare = got
						}
						for i, what := range []string{"the statement", "the later insert", "the end", "row 1 is there", "row 2 is there"} {
							if got[i] != bare[i] {
								t.Errorf("commit %v: %s: %v, with the bare driver %v", commit, what, got[i], bare[i])
							}
						}
					}
				})
			}
		}
	})
}

// endedSQLTx returns which calls have succeeded.
func endedSQLTx(t *testing.T, db *database, driverName, query string, commit bool) []bool {
	t.Helper()
	pool := db.openBare(t)
	if driverName == "aio" {
		e := db.open(t)
		pool = e.SyncDB()
		defer db.shut(t, e)
	} else {
		defer pool.Close()
	}
	tx, err := pool.BeginTx(background, nil)
	noError(t, "BeginTx", err)
	_, err = tx.Exec(insert, 1)
	noError(t, "insert", err)
	_, err1 := tx.Exec(query)
	_, err2 := tx.Exec(insert, 2)
	end := tx.Rollback
	if commit {
		end = tx.Commit
	}
	return []bool{err1 == nil, err2 == nil, within(t, "the end", end) == nil}
}
