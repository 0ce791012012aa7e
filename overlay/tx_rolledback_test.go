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

// A transaction that SAVEPOINT has begun is over only after a ROLLBACK, once SQLite has
// rolled it back. Its savepoints are gone, and one of the same name would begin another.
func TestSavepointByTextThatTheDatabaseRolledBack(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	for _, text := range []string{"savepoint a", "insert into t values (1)"} {
		must(t, c.ExecAsync(background, text))
	}
	failure(t, c.ExecAsync(background, "insert or rollback into t values (1)"))
	for _, text := range []string{"rollback to a", "release a", "savepoint a", "insert into t values (2)"} {
		if _, err := c.ExecAsync(background, text).Await(background); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
	c.ExecAsync(background, "rollback").Await(background) // there is nothing to roll back any longer
	for _, text := range []string{"savepoint a", "insert into t values (2)", "release a", "insert into t values (3)"} {
		must(t, c.ExecAsync(background, text))
	}
	must(t, c.CloseAsync(background))
	if n := must(t, overlay.Scalar[int](background, e, "select count(*) from t")); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

// A text that ends, after other statements, a transaction that SQLite has rolled back is refused as
// a whole.
func TestTextsAfterTheDatabaseRolledBackAreRefused(t *testing.T) {
	e, _ := onFile(t)
	for _, text := range []string{
		"insert into t values (5); rollback",
		"insert into t values (6); commit; begin",
		"insert into t values (7); begin; rollback",
	} {
		c := must(t, e.ConnectAsync(background))
		for _, text := range []string{"begin", "insert into t values (1)"} {
			must(t, c.ExecAsync(background, text))
		}
		failure(t, c.ExecAsync(background, "insert or rollback into t values (1)"))
		if err := second(c.ExecAsync(background, text).Await(background)); err == nil {
			t.Errorf("%s: no error", text)
		}
		must(t, c.CloseAsync(background))
		if n := must(t, overlay.Scalar[int](background, e, "select count(*) from t")); n != 0 {
			t.Errorf("%s: %d rows, want 0", text, n)
		}
	}
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
