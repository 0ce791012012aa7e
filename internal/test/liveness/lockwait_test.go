package liveness_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// lockWaits are calls that wait for SQLite's write lock.
var lockWaits = map[string]func(ctx context.Context, e *overlay.Engine) error{
	"ExecContext": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "INSERT INTO t (id) VALUES (1)")
		return err
	},
	"ExecContext with arguments": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "INSERT INTO t (id) VALUES (?)", 1)
		return err
	},
	"QueryContext": func(ctx context.Context, e *overlay.Engine) error {
		var n int
		return e.SyncDB().QueryRowContext(ctx, "INSERT INTO t (id) VALUES (1) RETURNING id").Scan(&n)
	},
	"ExecAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecAsync(ctx, "INSERT INTO t (id) VALUES (1)").Await(ctx)
		return err
	},
	"BatchAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO t (id) VALUES (1)"}}, overlay.InTx(nil)).Await(ctx)
		return err
	},
	"a plain BEGIN IMMEDIATE": func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, "BEGIN IMMEDIATE")
		}).Await(ctx)
		return err
	},
	"WithTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t (id) VALUES (1)").Await(ctx)
			return err
		})
	},
}

// locked returns the path of a database whose write lock somebody else holds
// until free is called.
func locked(t *testing.T) (path string, free func()) {
	t.Helper()
	path = newFile(t)
	other := bare(t, "sqlite3", path+"?_txlock=immediate")
	tx, err := other.BeginTx(background, nil)
	noError(t, "lock the database", err)
	t.Cleanup(func() { tx.Rollback() })
	return path, func() { tx.Rollback() }
}

// busyTimeout is longer than a test is patient, so that only the context can end
// the waiting.
const busyTimeout = "?_busy_timeout=60000"

func TestAWaitForALockEndsWithItsContextAndCostsNoProcessor(t *testing.T) {
	const length = 500 * time.Millisecond
	for name, call := range lockWaits {
		for how, end := range map[string]func(context.Context) (context.Context, context.CancelFunc, error){
			"deadline": func(ctx context.Context) (context.Context, context.CancelFunc, error) {
				ctx, cancel := context.WithTimeout(ctx, length)
				return ctx, cancel, context.DeadlineExceeded
			},
			"cancel": func(ctx context.Context) (context.Context, context.CancelFunc, error) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(length, cancel)
				return ctx, cancel, context.Canceled
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				alone(t)
				path, free := locked(t)
				e := open(t, "sqlite3", path+busyTimeout)
				_, err := e.SyncDB().Exec("PRAGMA user_version") // connected, and hot
				noError(t, "connect", err)
				ctx, cancel, want := end(bounded(t))
				defer cancel()
				begin, before := time.Now(), cpu(t)
				err = within(t, length+soon, "the call", func() error { return call(ctx, e) })
				took, used := time.Since(begin), cpu(t)-before
				wantError(t, "the call", err, want)
				if took < length/2 {
					t.Fatalf("the call did not wait for the lock: %v, %v", took, err)
				}
				if used > took/5 {
					t.Errorf("the wait of %v cost %v of processor time", took, used)
				}
				free()
				_, err = outcome(t, soon, "the next write", e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (7)"))
				noError(t, "the next write", err)
				if n := count(t, e.SyncDB(), "t"); n != 1 {
					t.Errorf("%d rows, not 1: the call that gave up has written", n)
				}
			})
		}
	}
}

// Future.Cancel ends the wait as a context does.
func TestCancelEndsAWaitForALock(t *testing.T) {
	alone(t)
	path, free := locked(t)
	e := open(t, "sqlite3", path+busyTimeout)
	f := e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)")
	until(t, patience, "the call runs", func() bool { return e.Stats().Run > 0 })
	time.Sleep(10 * time.Millisecond) // it reaches the lock, or not: both are to be tried
	within(t, atOnce, "Cancel", func() error { f.Cancel(); return nil })
	_, err := outcome(t, soon, "the call", f)
	wantError(t, "the call", err, context.Canceled)
	free()
	works(t, e)
}

// BEGIN IMMEDIATE waits for the lock, too.
func TestBeginImmediateStopsWaitingAtItsDeadline(t *testing.T) {
	alone(t)
	path, free := locked(t)
	e := open(t, "sqlite3", path+busyTimeout+"&_txlock=immediate")
	err := within(t, 200*time.Millisecond+soon, "WithTx", func() error {
		return e.WithTx(brief(t, 200*time.Millisecond), nil, func(context.Context, *overlay.Conn) error { return nil })
	})
	wantError(t, "WithTx", err, context.DeadlineExceeded)
	free()
	noError(t, "the next WithTx", within(t, soon, "the next WithTx", func() error {
		return e.WithTx(bounded(t), nil, func(context.Context, *overlay.Conn) error { return nil })
	}))
}

// A COMMIT waits for readers, with a rollback journal. It has not done anything
// then: at the deadline it is refused, and nothing stays open.
func TestACommitThatWaitsForAReaderStopsAtItsDeadline(t *testing.T) {
	commits := map[string]func(ctx context.Context, e *overlay.Engine) error{
		"WithTx": lockWaits["WithTx"],
		"CommitAsync": func(ctx context.Context, e *overlay.Engine) error {
			return e.WithConn(background, func(_ context.Context, c *overlay.Conn) error {
				tx, err := c.BeginAsync(background, nil).Await(background)
				if err != nil {
					return err
				}
				if _, err := c.ExecAsync(background, "INSERT INTO t (id) VALUES (1)").Await(background); err != nil {
					return err
				}
				_, err = tx.CommitAsync(ctx).Await(ctx)
				return err
			})
		},
		"an insert of its own": lockWaits["ExecAsync"],
		"sql.Tx": func(ctx context.Context, e *overlay.Engine) error {
			tx, err := e.SyncDB().BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO t (id) VALUES (1)"); err != nil {
				return err
			}
			return tx.Commit()
		},
	}
	for name, commit := range commits {
		t.Run(name, func(t *testing.T) {
			alone(t)
			path := newFile(t)
			other := bare(t, "sqlite3", path+"?_journal_mode=DELETE")
			_, err := other.Exec("INSERT INTO t (id) VALUES (100), (101)")
			noError(t, "fill the table", err)
			rows, err := other.Query("SELECT id FROM t")
			noError(t, "read the table", err)
			rows.Next() // a shared lock from here on
			e := open(t, "sqlite3", path+busyTimeout)
			err = within(t, 300*time.Millisecond+soon, name, func() error {
				return commit(brief(t, 300*time.Millisecond), e)
			})
			wantError(t, name, err, context.DeadlineExceeded)
			rows.Close()
			other.Close()
			_, err = outcome(t, soon, "the next write", e.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (7)"))
			noError(t, "the next write", err)
			if n := count(t, e.SyncDB(), "t"); n != 3 {
				t.Errorf("%d rows, not 3", n)
			}
		})
	}
}

// On MariaDB a wait for a row's lock is stopped at the server.
func TestAWaitForARowLockEndsWithItsContext(t *testing.T) {
	alone(t)
	const table = "liveness_rowlock"
	cfg := mariaDB(t, table)
	db := admin(t, cfg)
	_, err := db.Exec("INSERT INTO " + table + " (id) VALUES (1)")
	noError(t, "fill the table", err)
	holder, err := db.BeginTx(background, nil)
	noError(t, "lock the row", err)
	defer holder.Rollback()
	_, err = holder.Exec("UPDATE " + table + " SET data = 'x'")
	noError(t, "lock the row", err)
	e := open(t, "mysql", cfg.FormatDSN())
	works(t, e)
	before, begin := cpu(t), time.Now()
	ctx := brief(t, time.Second)
	_, err = result(t, time.Second+soon, "the update", func() (sql.Result, error) {
		return e.ExecAsync(ctx, "UPDATE "+table+" SET data = 'y'").Await(ctx)
	})
	wantError(t, "the update", err, context.DeadlineExceeded)
	if took, used := time.Since(begin), cpu(t)-before; used > took/5 {
		t.Errorf("the wait of %v cost %v of processor time", took, used)
	}
	works(t, e)
}
