package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

var errOwn = errors.New("the application's own error")

func TestWithTxCommits(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			if !c.InTransaction() {
				t.Error("InTransaction is false in WithTx")
			}
			_, err := c.ExecuteAsync(ctx, insertPerson, "Ann").Await(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		db.wantPeople(t, 1)
	})
}

func TestWithTxRollsBackOnError(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, c.ExecuteAsync(ctx, insertPerson, "Ann"))
			return errOwn
		})
		if err != errOwn {
			t.Errorf("WithTx returned %v, want fn's own error", err)
		}
		db.wantPeople(t, 0)
	})
}

func TestWithTxRollsBackOnPanic(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		func() {
			defer func() {
				if v := recover(); v != errOwn {
					t.Errorf("recovered %v, want what fn panicked with", v)
				}
			}()
			db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecuteAsync(ctx, insertPerson, "Ann"))
				panic(errOwn)
			})
		}()
		db.wantPeople(t, 0)
	})
}

// breakCommit makes the commit of the transaction on c fail: in SQLite a foreign
// key is missing, in MariaDB the connection is.
func breakCommit(t *testing.T, db *testDB, c *overlay.Conn) {
	t.Helper()
	if db.maria {
		id := must(t, overlay.Scalar[int](db.ctx, c, "SELECT CONNECTION_ID()"))
		must(t, db.e.ExecAsync(db.ctx, "KILL ?", id))
		return
	}
	must(t, c.ExecAsync(db.ctx, "INSERT INTO orders (person) VALUES (99)"))
}

func ordersFirst(t *testing.T, db *testDB) {
	t.Helper()
	db.people(t)
	if !db.maria {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE orders (person INTEGER REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)"))
	}
}

func TestWithTxRollsBackWhenCommitFails(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		ordersFirst(t, db)
		c := db.connect(t)
		if !db.maria {
			must(t, c.ExecAsync(db.ctx, "PRAGMA foreign_keys = ON"))
		}
		err := c.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, c.ExecAsync(ctx, insertPerson, "Ann"))
			breakCommit(t, db, c)
			return nil
		})
		if err == nil {
			t.Error("the commit's error got lost")
		} else if !db.maria && err.Error() != "FOREIGN KEY constraint failed" {
			t.Errorf("WithTx returned %q, want the commit's own error", err)
		}
		if c.InTransaction() {
			t.Error("InTransaction is true after the failed commit")
		}
		db.close(t, c)
		db.wantPeople(t, 0)
	})
}

func TestCommitRollbackAndClose(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		defer db.close(t, c)
		for _, tc := range []struct {
			name   string
			end    func(*overlay.Tx) *overlay.Future[struct{}]
			people int
		}{
			{"commit", func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CommitAsync(db.ctx) }, 1},
			{"rollback", func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.RollbackAsync(db.ctx) }, 1},
			{"close", func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CloseAsync(db.ctx) }, 1},
			{"commit again", func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CommitAsync(db.ctx) }, 2},
		} {
			if c.InTransaction() {
				t.Fatalf("%s: InTransaction is true before", tc.name)
			}
			tx := must(t, c.BeginAsync(db.ctx, nil))
			if !c.InTransaction() || tx.Conn() != c {
				t.Fatalf("%s: not in a transaction of the connection's", tc.name)
			}
			must(t, c.ExecAsync(db.ctx, insertPerson, tc.name))
			must(t, tc.end(tx))
			if n := count(t, db, c); n != tc.people {
				t.Errorf("%s: %d people, want %d", tc.name, n, tc.people)
			}
			wantError(t, failure(t, tx.CommitAsync(db.ctx)), sql.ErrTxDone)
			wantError(t, failure(t, tx.RollbackAsync(db.ctx)), sql.ErrTxDone)
			must(t, tx.CloseAsync(db.ctx)) // does nothing
		}
	})
}

func TestBeginTwice(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		tx := must(t, c.BeginAsync(db.ctx, nil))
		wantError(t, failure(t, c.BeginAsync(db.ctx, nil)), overlay.ErrInTransaction)
		must(t, tx.RollbackAsync(db.ctx))
		must(t, must(t, c.BeginAsync(db.ctx, nil)).RollbackAsync(db.ctx))
	})
}

func TestTxOptionsReachTheDatabase(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, insertPerson, "Ann").Await(ctx)
			return err
		})
		wantCode(t, err, 1792) // cannot execute statement in a READ ONLY transaction
		for _, tc := range []struct {
			level sql.IsolationLevel
			sees  int // what others commit
		}{{sql.LevelRepeatableRead, 0}, {sql.LevelReadCommitted, 1}} {
			must(t, db.e.ExecAsync(db.ctx, "DELETE FROM people"))
			err := db.e.WithTx(db.ctx, &sql.TxOptions{Isolation: tc.level}, func(ctx context.Context, c *overlay.Conn) error {
				count(t, db, c) // takes the snapshot
				must(t, db.e.ExecAsync(ctx, insertPerson, "Ann"))
				if n := count(t, db, c); n != tc.sees {
					t.Errorf("%v sees %d, want %d", tc.level, n, tc.sees)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTransactionOfTheApplications(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		if db.maria {
			t.Skip("the MySQL protocol's drivers do not tell")
		}
		db.people(t)
		c := db.connect(t)
		must(t, c.ExecuteAsync(db.ctx, "BEGIN"))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		if !c.InTransaction() {
			t.Error("InTransaction is false after BEGIN")
		}
		must(t, c.ExecuteAsync(db.ctx, "ROLLBACK"))
		if c.InTransaction() {
			t.Error("InTransaction is true after ROLLBACK")
		}
		must(t, c.ExecuteAsync(db.ctx, "BEGIN"))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Bob"))
		db.close(t, c) // rolls back
		db.wantPeople(t, 0)
	})
}

// A transaction is closed also with a context that has ended.
func TestTxCloseWithAnEndedContext(t *testing.T) {
	e := oneLane(t)
	ctx0 := context.Background()
	c, err := e.ConnectAsync(ctx0).Await(ctx0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.CloseAsync(ctx0).Await(ctx0) }()
	ctx, cancel := context.WithCancel(ctx0)
	tx, err := c.BeginAsync(ctx, nil).Await(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = tx.CloseAsync(ctx).Await(ctx0)
	if c.InTransaction() {
		t.Errorf("CloseAsync(ended) returned %v and the transaction is open", err)
	}
}

// Tx is the innermost transaction or savepoint that is open.
func TestConnTx(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		defer db.close(t, c)
		want := func(when string, want *overlay.Tx) {
			t.Helper()
			if got := c.Tx(); got != want || c.Branch().Tx() != want {
				t.Errorf("%s: Tx is %v, want %v", when, got, want)
			}
		}
		want("at first", nil)
		outer := must(t, c.BeginAsync(db.ctx, nil))
		want("after BeginAsync", outer)
		inner := must(t, c.BeginNestedAsync(db.ctx))
		want("after BeginNestedAsync", inner)
		must(t, inner.CommitAsync(db.ctx))
		want("after the savepoint's end", outer)
		must(t, c.BeginNestedAsync(db.ctx))
		must(t, outer.RollbackAsync(db.ctx))
		want("after the rollback", nil)
		noError(t, c.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			outer := c.Tx()
			if outer == nil || outer.Conn() != c {
				t.Error("WithTx has no Tx")
			}
			noError(t, c.WithNested(ctx, func(_ context.Context, c *overlay.Conn) error {
				if tx := c.Tx(); tx == nil || tx == outer {
					t.Error("WithNested has no Tx of its own")
				}
				return nil
			}))
			want("after WithNested", outer)
			return nil
		}))
		want("after WithTx", nil)
	})
}

// The end of a transaction, which closes an open stream, may take its time as if there was none.
func TestSlowCommitBesideAStream(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		e, err := overlay.Open("mysql", db.slow(t, "COMMIT", 500*time.Millisecond), overlay.WithLanes(1))
		noError(t, err)
		defer e.Shutdown(atMost(t, patience))
		c := must(t, e.ConnectAsync(db.ctx))
		tx := must(t, c.BeginAsync(db.ctx, nil))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		r := must(t, c.StreamAsync(db.ctx, "SELECT seq, REPEAT('x', 40000), SLEEP(0.05) FROM seq_1_to_100"))
		must(t, r.FetchOneAsync(db.ctx))
		must(t, tx.CommitAsync(background))
		must(t, r.CloseAsync(db.ctx))
		must(t, c.CloseAsync(db.ctx))
		db.wantPeople(t, 1)
	})
}

// DDL on MySQL ends the transaction: WithTx says so, although its function fails with an error of
// its own, since what was done before is there to stay.
func TestWithTxThatDDLHasEnded(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, c.ExecAsync(ctx, insertPerson, "Ann"))
			must(t, c.ExecAsync(ctx, "CREATE TABLE other (id INT)"))
			return errOwn
		})
		wantError(t, err, errOwn)
		wantError(t, err, overlay.ErrTxEnded)
		db.wantPeople(t, 1)
	})
}

// A sql.Tx that a statement has ended does nothing to the transaction after it.
func TestLateEndOfATxThatHasEnded(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t, "Zoe")
		const ending = "CREATE TABLE IF NOT EXISTS other (id INT)"
		for name, end := range map[string]func(*sql.Tx) error{"Commit": (*sql.Tx).Commit, "Rollback": (*sql.Tx).Rollback} {
			for _, commit := range []bool{true, false} {
				c := db.connect(t)
				old, err := c.SyncConn().BeginTx(db.ctx, nil)
				noError(t, err)
				old.Exec(ending)
				tx := must(t, c.BeginAsync(db.ctx, nil))
				must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
				end(old)
				must(t, c.ExecAsync(db.ctx, insertPerson, "Bob"))
				want := 1
				if commit {
					must(t, tx.CommitAsync(db.ctx))
					want = 3
				} else {
					must(t, tx.RollbackAsync(db.ctx))
				}
				db.close(t, c)
				if n := count(t, db, db.e); n != want {
					t.Errorf("%s of the old one, commit of the next %v: %d people, want %d", name, commit, n, want)
				}
				must(t, db.e.ExecAsync(db.ctx, "DELETE FROM people WHERE id > 1"))
			}
		}
	})
}

// Nor does WithTx go on in another transaction that a text has begun, whatever the text is.
func TestWithTxThatATextHasEndedAndBegun(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		e := db.scripts(t)
		for _, text := range []string{
			"CREATE TEMPORARY TABLE tt (a INT); COMMIT; BEGIN",
			"CREATE TABLE u (a INT); BEGIN",
			"DO 1; COMMIT; START TRANSACTION",
			"COMMIT; DO 1; BEGIN",
			"COMMIT; BEGIN; INSERT INTO nowhere VALUES (1)",
			"/*!40000 COMMIT AND CHAIN */",
		} {
			err := e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecAsync(ctx, insertPerson, "Ann"))
				c.ExecAsync(ctx, text).Await(ctx)
				wantError(t, second(c.ExecAsync(ctx, insertPerson, "Bob").Await(ctx)), overlay.ErrTxEnded)
				return errOwn
			})
			wantError(t, err, errOwn)
			wantError(t, err, overlay.ErrTxEnded)
			db.wantPeople(t, 1)
			must(t, db.e.ExecAsync(db.ctx, "DELETE FROM people"))
		}
	})
}

// Blocks, and words in strings, end no transaction.
func TestWithTxGoesOnAfterABlock(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		for i, text := range []string{
			"FOR i IN 1..1 DO INSERT INTO people (name) VALUES (i); END FOR",
			"IF 1 THEN BEGIN INSERT INTO people (name) VALUES ('Ann'); END; END IF",
			"IF 1 THEN INSERT INTO people (name) VALUES ('Ann'); ELSE BEGIN DO 0; END; END IF",
			`INSERT INTO people (name) VALUES ('don\'t; commit; later')`,
			`INSERT INTO people (name) VALUES ("say \"x; commit; y\"")`,
		} {
			noError(t, db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecAsync(ctx, text))
				return second(c.ExecAsync(ctx, insertPerson, "Bob").Await(ctx))
			}))
			db.wantPeople(t, 2*(i+1))
		}
	})
}

// A driver that does not tell whether a transaction is open is not asked to begin one in one:
// MySQL's BEGIN commits the transaction that it is in.
func TestBeginInATransactionOfASilentDriver(t *testing.T) {
	d, e := faked(t)
	c := must(t, e.ConnectAsync(background))
	noError(t, c.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		if second(c.SyncConn().BeginTx(ctx, nil)) == nil {
			t.Error("SyncConn has begun a transaction in that of its Conn")
		}
		return nil
	}))
	tx, err := c.SyncConn().BeginTx(background, nil)
	noError(t, err)
	wantError(t, failure(t, c.BeginAsync(background, nil)), overlay.ErrInTransaction)
	noError(t, tx.Rollback())
	must(t, c.CloseAsync(background))
	if n := d.Count("Conn.BeginTx"); n != 2 {
		t.Errorf("the driver was asked for %d transactions, want 2", n)
	}
}

// DDL that fails has committed what came before it: that is told, and nothing is made again.
func TestDDLThatFailsInWithTx(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE kept (id INT)"))
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE held (id INT)"))
		blocker := must(t, db.e.ConnectAsync(db.ctx))
		defer db.close(t, blocker)
		tx := must(t, blocker.BeginAsync(db.ctx, nil))
		must(t, blocker.ScalarAsync(db.ctx, "SELECT count(*) FROM held"))
		times := 0
		err := db.e.RetryTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			times++
			must(t, c.ExecAsync(ctx, "INSERT INTO kept VALUES (1)"))
			return second(c.ExecAsync(ctx, "SET STATEMENT lock_wait_timeout = 0 FOR ALTER TABLE held ADD COLUMN n INT").Await(ctx))
		})
		wantError(t, err, overlay.ErrTxEnded)
		results, err := db.e.BatchAsync(db.ctx, []overlay.Statement{
			{Query: "INSERT INTO kept VALUES (2)"},
			{Query: "SET STATEMENT lock_wait_timeout = 0 FOR ALTER TABLE held ADD COLUMN n INT"},
		}, overlay.InTx(nil)).Await(db.ctx)
		if err == nil || !errors.Is(results[0].Err, overlay.ErrOutcomeUnknown) {
			t.Errorf("the batch: %v, its first statement: %v", err, results[0].Err)
		}
		must(t, tx.RollbackAsync(db.ctx))
		if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM kept")); times != 1 || n != 2 {
			t.Errorf("%d times, %d rows", times, n)
		}
	})
}
