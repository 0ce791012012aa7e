package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// After SQLite has rolled a transaction back by itself, statements are refused that
// would be carried out outside of it, until it is ended.
func TestStatementsAfterTheDatabaseRolledBackAreRefused(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	defer func() { must(t, c.CloseAsync(background)) }()
	must(t, e.ExecAsync(background, "insert into t values (1)"))
	for _, end := range []func(*overlay.Tx) error{
		func(tx *overlay.Tx) error { return second(tx.RollbackAsync(background).Await(background)) },
		func(tx *overlay.Tx) error { return second(tx.CloseAsync(background).Await(background)) },
		func(tx *overlay.Tx) error {
			if second(tx.CommitAsync(background).Await(background)) == nil {
				t.Error("a transaction that was lost can be committed")
			}
			return nil
		},
	} {
		tx := must(t, c.BeginAsync(background, nil))
		must(t, c.ExecAsync(background, "insert into t values (2)"))
		if _, err := c.ExecAsync(background, "insert or rollback into t values (1)").Await(background); err == nil {
			t.Fatal("the key is there twice")
		}
		if c.InTransaction() {
			t.Error("SQLite has rolled back, InTransaction has not heard of it")
		}
		for name, err := range map[string]error{
			"exec":  second(c.ExecAsync(background, "insert into t values (3)").Await(background)),
			"query": second(c.ScalarAsync(background, "select count(*) from t").Await(background)),
			"batch": second(c.ExecManyAsync(background, "insert into t values (?)", [][]any{{4}}).Await(background)),
		} {
			if err == nil {
				t.Errorf("%s was carried out outside of its transaction", name)
			}
		}
		if err := end(tx); err != nil {
			t.Error(err)
		}
		if n := must(t, overlay.Scalar[int](background, c, "select count(*) from t")); n != 1 {
			t.Errorf("%d rows", n)
		}
	}
}

// What the database rolls back by itself is over: InTransaction says so, and a
// rollback has nothing to complain about, but a commit has.
func TestDatabaseRollsBackByItself(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		if db.maria {
			t.Skip("MariaDB stays in the transaction, whatever it has rolled back")
		}
		db.people(t)
		c := db.connect(t)
		for _, commit := range []bool{false, true} {
			tx := must(t, c.BeginAsync(db.ctx, nil))
			must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
			if losesTransaction(t, db, c) {
				t.Error("InTransaction is true after the database has rolled back")
			}
			if commit {
				failure(t, tx.CommitAsync(db.ctx))
			} else {
				must(t, tx.RollbackAsync(db.ctx))
			}
			must(t, tx.CloseAsync(db.ctx))
		}
		db.close(t, c)
		db.wantPeople(t, 0)
	})
}

// losesTransaction has a write interrupted, again if that came before the write had
// begun, for then the transaction goes on. It returns what InTransaction has said at once.
func losesTransaction(t *testing.T, db *testDB, c *overlay.Conn) (in bool) {
	t.Helper()
	for range 100 {
		f := c.ExecAsync(db.ctx, db.sleepyInsert)
		inCall(t, c, f)
		f.Cancel()
		wantError(t, failure(t, f), context.Canceled)
		in, auto := c.InTransaction(), false
		must(t, overlay.RunInThread(db.ctx, c, func(ctx context.Context, sc *sql.Conn) (int, error) {
			return 0, aio.Raw(ctx, sc, func(inner driver.Conn) error {
				auto = inner.(interface{ AutoCommit() bool }).AutoCommit()
				return nil
			})
		}))
		if auto {
			return in
		}
	}
	t.Fatal("the write never began")
	return false
}
