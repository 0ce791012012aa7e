package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

var errMine = errors.New("the function's own error")

// A COMMIT in a text has ended the transaction of WithTx. Its error says so, whatever comes
// after that.
func TestWithTxSaysThatItWasEnded(t *testing.T) {
	var free chan struct{}
	for name, then := range map[string]func(context.Context, *overlay.Conn) error{
		"an error":               func(context.Context, *overlay.Conn) error { return errMine },
		"the end of its context": func(ctx context.Context, _ *overlay.Conn) error { <-ctx.Done(); return nil },
		"another transaction": func(ctx context.Context, c *overlay.Conn) error {
			if tx, err := c.SyncConn().BeginTx(ctx, nil); err == nil {
				tx.Commit()
			}
			return errMine
		},
		"a bad connection": func(_ context.Context, c *overlay.Conn) error {
			return c.SyncConn().Raw(func(any) error { return driver.ErrBadConn })
		},
		"Goexit": func(ctx context.Context, c *overlay.Conn) error {
			_, err := overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) { runtime.Goexit(); return 0, nil }).Await(ctx)
			return err
		},
		"a function that does not end": func(ctx context.Context, c *overlay.Conn) error {
			freed := free
			_, err := overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { <-freed; return 0, nil }).Await(ctx)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			free = make(chan struct{})
			defer close(free)
			d := onSQLite(t)
			ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
			defer cancel()
			calls := 0
			err := d.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				calls++
				d.do(t, c, insert1)
				d.do(t, c, "COMMIT")
				return then(ctx, c)
			})
			d.check(t, 1, err)
			if calls != 1 || !errors.Is(err, overlay.ErrTxEnded) {
				t.Errorf("%d calls, %v; want one, and ErrTxEnded", calls, err)
			}
		})
	}
}

// The error says so as well if the commit is withdrawn, or nobody waits for its answer.
func TestWithdrawnCommitSaysThatItWasEnded(t *testing.T) {
	d := onSQLite(t)
	for name, commit := range map[string]func(context.Context, context.CancelFunc) error{
		"WithTx": func(ctx context.Context, cancel context.CancelFunc) error {
			return d.WithTx(ctx, nil, func(_ context.Context, c *overlay.Conn) error {
				d.do(t, c, "COMMIT")
				cancel()
				return nil
			})
		},
		"CommitAsync": func(ctx context.Context, cancel context.CancelFunc) error {
			return d.WithConn(bg, func(_ context.Context, c *overlay.Conn) error {
				tx, err := c.BeginAsync(bg, nil).Await(bg)
				noError(t, err)
				d.do(t, c, "COMMIT")
				cancel()
				_, err = tx.CommitAsync(ctx).Await(bg)
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				ctx, cancel := context.WithCancel(bg)
				if err := commit(ctx, cancel); !errors.Is(err, overlay.ErrTxEnded) {
					t.Fatalf("%v, want ErrTxEnded", err)
				}
			}
		})
	}
}

// What the database has rolled back is not forgotten for another transaction on the Conn.
func TestRolledBackAndAnotherTransaction(t *testing.T) {
	for name, another := range map[string]func(context.Context, *overlay.Conn) error{
		"RunInThread": func(ctx context.Context, c *overlay.Conn) error {
			_, err := overlay.RunInThread(ctx, c, func(ctx context.Context, sc *sql.Conn) (int, error) { return 0, beginAndCommit(ctx, sc) }).Await(ctx)
			return err
		},
		"SyncConn": func(ctx context.Context, c *overlay.Conn) error { return beginAndCommit(ctx, c.SyncConn()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := onSQLite(t)
			c := d.connect(t)
			tx, err := c.BeginAsync(bg, nil).Await(bg)
			noError(t, err)
			d.do(t, c, insert1)
			if _, err := c.ExecAsync(bg, "INSERT OR ROLLBACK INTO t VALUES (1)").Await(bg); err == nil {
				t.Fatal("no error")
			}
			if err := another(bg, c); !errors.Is(err, overlay.ErrRolledBack) {
				t.Errorf("another transaction: %v, want ErrRolledBack", err)
			}
			if _, err := c.ExecAsync(bg, insert2).Await(bg); !errors.Is(err, overlay.ErrRolledBack) {
				t.Errorf("a statement: %v, want ErrRolledBack", err)
			}
			_, err = tx.CommitAsync(bg).Await(bg)
			d.check(t, 1, err)
			d.check(t, 2, err)
		})
	}
}

func beginAndCommit(ctx context.Context, c *sql.Conn) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return tx.Commit()
}

// What a text does after its own ROLLBACK is kept, though a later statement of it fails.
func TestWithTxWhoseTextRollsBackAndWrites(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *database{"SQLite": onSQLite, "MariaDB": onMariaDB} {
		for _, hides := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, the function hides the error: %v", name, hides), func(t *testing.T) {
				d := open(t)
				d.check(t, 2, d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
					d.do(t, c, insert1)
					_, err := c.ExecAsync(ctx, "ROLLBACK; "+insert2+"; INSERT INTO nowhere VALUES (3)").Await(ctx)
					if hides {
						return nil
					}
					return err
				}))
			})
		}
	}
}

// A block of MariaDB's that commits and begins another transaction has ended the one of WithTx.
func TestWithTxWhoseBlockCommits(t *testing.T) {
	d := onMariaDB(t)
	for i, text := range []string{
		"BEGIN NOT ATOMIC COMMIT AND CHAIN; END",
		"BEGIN NOT ATOMIC COMMIT; START TRANSACTION; END",
		"IF 1 THEN /*!COMMIT AND CHAIN*/; END IF",
		"FOR i IN 1..1 DO COMMIT AND CHAIN; END FOR",
	} {
		err := d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			d.do(t, c, fmt.Sprintf("INSERT INTO t VALUES (%d)", 10+i))
			d.do(t, c, text)
			return errMine
		})
		if !errors.Is(err, overlay.ErrTxEnded) {
			t.Errorf("%s: %v, want ErrTxEnded", text, err)
		}
	}
	d.check(t, 1, d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		d.do(t, c, "BEGIN NOT ATOMIC IF 'commit' = 'x' THEN SELECT 1; END IF; "+insert1+"; END")
		return nil
	}))
}

// A savepoint's function learns that the transaction around it was ended.
func TestWithNestedSaysThatItWasEnded(t *testing.T) {
	for _, on := range []struct {
		open func(*testing.T) *database
		text string
	}{{onSQLite, "COMMIT"}, {onMariaDB, "CREATE TABLE w (k INTEGER)"}, {onMariaDB, "CREATE TABLE u (k INTEGER)"}} {
		t.Run(on.text, func(t *testing.T) {
			d := on.open(t)
			c := d.connect(t)
			tx, err := c.BeginAsync(bg, nil).Await(bg)
			noError(t, err)
			d.check(t, 1, c.WithNested(bg, func(ctx context.Context, c *overlay.Conn) error {
				d.do(t, c, insert1)
				_, err := c.ExecAsync(ctx, on.text).Await(ctx)
				return errors.Join(err, errMine)
			}))
			tx.CloseAsync(bg).Await(bg)
		})
	}
}

// A procedure commits, and fails: the database tells that the transaction is over.
func TestBatchWhoseProcedureCommits(t *testing.T) {
	d := onMariaDB(t)
	d.do(t, d, "CREATE PROCEDURE p() BEGIN COMMIT; SIGNAL SQLSTATE '45000'; END")
	results, err := d.BatchAsync(bg, []overlay.Statement{{Query: "BEGIN"}, {Query: insert1}, {Query: "CALL p()"}}).Await(bg)
	t.Log(err)
	d.check(t, 1, results[1].Err)
}
