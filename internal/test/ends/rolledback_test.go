package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// deadlock has the server roll back the Conn's transaction, in which nothing of u was used.
func (d *database) deadlock(t *testing.T, c *overlay.Conn) {
	t.Helper()
	d.do(t, d, "INSERT INTO u VALUES (1), (2)")
	d.do(t, c, "DO (SELECT k FROM u WHERE k = 2 FOR UPDATE)")
	other, err := d.bare.Begin()
	noError(t, err)
	defer other.Rollback()
	for k := range 50 { // the server takes the one that has changed less
		_, err = other.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d)", 1000+k))
		noError(t, err)
	}
	_, err = other.Exec("DELETE FROM u WHERE k = 1")
	noError(t, err)
	waiting := make(chan error, 1)
	go func() { _, err := other.Exec("DELETE FROM u WHERE k = 2"); waiting <- err }()
	_, err = c.ExecAsync(bg, "DELETE FROM u WHERE k = 1").Await(limit(t))
	if err == nil {
		t.Fatal("no deadlock")
	}
	noError(t, <-waiting)
}

// violate has SQLite roll back the Conn's transaction, which has inserted row 1.
func (d *database) violate(t *testing.T, c *overlay.Conn) {
	t.Helper()
	if _, err := c.ExecAsync(bg, "INSERT OR ROLLBACK INTO t VALUES (1)").Await(bg); err == nil {
		t.Fatal("no error")
	}
}

// After the database has rolled back a transaction that a text has begun, statements are
// refused until a text rolls back: a savepoint's end, or a COMMIT that goes on, is not the end.
func TestRolledBackTextIsNotForgotten(t *testing.T) {
	for _, on := range []struct {
		name  string
		open  func(*testing.T) *database
		lose  func(*database, *testing.T, *overlay.Conn)
		texts []string
	}{
		{"SQLite", onSQLite, (*database).violate, []string{"SAVEPOINT s2", "ROLLBACK TO s", "RELEASE s", "COMMIT; BEGIN"}},
		{"MariaDB", onMariaDB, (*database).deadlock, []string{
			"SAVEPOINT s2", "ROLLBACK TO s", "RELEASE SAVEPOINT s", "COMMIT AND CHAIN", "COMMIT; BEGIN",
		}},
	} {
		for _, text := range on.texts {
			t.Run(on.name+" "+text, func(t *testing.T) {
				d := on.open(t)
				c := d.connect(t)
				d.do(t, c, "BEGIN")
				d.do(t, c, "SAVEPOINT s")
				d.do(t, c, insert1)
				on.lose(d, t, c)
				for _, text := range []string{insert3, text, insert2} {
					if _, err := c.ExecAsync(bg, text).Await(bg); !errors.Is(err, overlay.ErrRolledBack) {
						t.Errorf("%s: %v, want ErrRolledBack", text, err)
					}
				}
				_, err := c.ExecAsync(bg, "ROLLBACK").Await(bg)
				t.Log(err)
				d.do(t, c, insert3)
				if d.has(t, 1) || d.has(t, 2) || !d.has(t, 3) {
					t.Error("want row 3 alone")
				}
			})
		}
	}
}

// A sql.Tx that the database has rolled back does not go on in another transaction.
func TestRolledBackTxIsNotInAnother(t *testing.T) {
	for name, open := range map[string]func(*testing.T, *database) (first *sql.Tx, second func() error){
		"SyncConn": func(t *testing.T, d *database) (*sql.Tx, func() error) {
			c := d.connect(t)
			tx, err := c.SyncConn().BeginTx(bg, nil)
			noError(t, err)
			return tx, func() error { _, err := c.BeginAsync(bg, nil).Await(bg); return err }
		},
		"sql.Conn": func(t *testing.T, d *database) (*sql.Tx, func() error) {
			sc, err := d.SyncDB().Conn(bg)
			noError(t, err)
			t.Cleanup(func() { sc.Close() })
			tx, err := sc.BeginTx(bg, nil)
			noError(t, err)
			return tx, func() error { return beginAndCommit(bg, sc) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := onSQLite(t)
			first, second := open(t, d)
			if _, err := first.Exec(insert1 + "; INSERT OR ROLLBACK INTO t VALUES (1)"); err == nil {
				t.Fatal("no error")
			}
			if err := second(); !errors.Is(err, overlay.ErrRolledBack) {
				t.Errorf("another transaction: %v, want ErrRolledBack", err)
			}
			if _, err := first.Exec(insert2); !errors.Is(err, overlay.ErrRolledBack) {
				t.Errorf("a statement: %v, want ErrRolledBack", err)
			}
			d.check(t, 2, first.Commit())
			if err := second(); err != nil {
				t.Errorf("another transaction after the end of the first: %v", err)
			}
		})
	}
}

// A connection that somebody says is bad, and that holds a database in memory, is kept.
// Its transaction is over, for everybody.
func TestTransactionInMemoryOnABadConnection(t *testing.T) {
	bad := func(sc *sql.Conn) error { return sc.Raw(func(any) error { return driver.ErrBadConn }) }
	for name, say := range map[string]func(context.Context, *overlay.Conn) error{
		"SyncConn": func(_ context.Context, c *overlay.Conn) error { return bad(c.SyncConn()) },
		"RunInThread": func(ctx context.Context, c *overlay.Conn) error {
			_, err := overlay.RunInThread(ctx, c, func(_ context.Context, sc *sql.Conn) (int, error) { return 0, bad(sc) }).Await(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := overlay.Open("sqlite3", ":memory:")
			noError(t, err)
			defer e.Shutdown(limit(t))
			_, err = e.ExecAsync(bg, "CREATE TABLE t (k INTEGER PRIMARY KEY)").Await(bg)
			noError(t, err)
			insert := func(ctx context.Context, c *overlay.Conn) error {
				if err := say(ctx, c); !errors.Is(err, driver.ErrBadConn) {
					t.Fatal(err)
				}
				if _, err := c.ExecAsync(ctx, insert2).Await(ctx); !errors.Is(err, overlay.ErrRolledBack) {
					t.Errorf("insert: %v, want ErrRolledBack", err)
				}
				return nil
			}
			if err := e.WithTx(bg, nil, insert); !errors.Is(err, overlay.ErrRolledBack) {
				t.Errorf("WithTx: %v, want ErrRolledBack", err)
			}
			noError(t, e.WithConn(bg, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "BEGIN").Await(ctx)
				noError(t, err)
				return insert(ctx, c)
			}))
			if n, err := overlay.Scalar[int](bg, e, "SELECT count(*) FROM t").Await(bg); n != 0 || err != nil {
				t.Errorf("%d rows, %v; want none", n, err)
			}
		})
	}
}
