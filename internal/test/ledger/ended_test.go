package ledger_test

import (
	"context"
	"regexp"
	"strings"
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
			for _, s := range scopes() {
				if s.kind == bySQL || s.kind == byText || strings.Contains(s.name, "BEGIN") {
					continue
				}
				t.Run(en.name+" in "+s.name, func(t *testing.T) {
					db := again(t, db)
					e := db.open(t)
					err := within(t, s.name, func() error {
						return s.run(background, e, db.l, []step{row, {query: en.query}, row})
					})
					if err == nil {
						t.Error("no error: the transaction was ended by a statement in it, and nobody is told")
					} else if !says.MatchString(err.Error()) {
						t.Errorf("the error does not say that the transaction has ended: %v", err)
					}
					db.l.ended(t, en)
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// ended enters that a statement has ended the only transaction in the middle: what has
// become of the rows before it is the application's doing, those after it must have been
// refused.
func (l *ledger) ended(t *testing.T, en ender) {
	t.Helper()
	for id, r := range l.writes {
		err := r.err
		if err == nil && r.of.err != nil && strings.HasSuffix(r.what, "InTx") {
			err = r.of.err // all that a batch's caller gets
		}
		r.of = nil
		switch {
		case id > l.last/2:
			r.belief = refused
			if err == nil {
				t.Errorf("row %d was written outside of its transaction", id)
			} else if !says.MatchString(err.Error()) {
				t.Errorf("the error of row %d does not say that the transaction has ended: %v", id, err)
			}
		case en.rollsBack:
			r.belief = refused
		default:
			r.belief = acknowledged
		}
	}
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
