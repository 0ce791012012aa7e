package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
	"github.com/sqlaio/sqlaio/warnings"
)

const insertFrom = "INSERT INTO t (v) VALUES (?)"

// waysToWrite are ways to insert one row, on a Conn or around it.
func waysToWrite(e *overlay.Engine) map[string]func(ctx context.Context, c *overlay.Conn) error {
	inTx := func(ctx context.Context, tx *sql.Tx, err error) error {
		if err != nil {
			return err
		}
		defer tx.Rollback()
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n); err != nil {
			return err
		}
		return errors.Join(second(tx.ExecContext(ctx, insertFrom, "x")), tx.Commit())
	}
	function := func(ctx context.Context, to overlay.Target, fn func(ctx context.Context, c *sql.Conn) error) error {
		return second(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) { return 0, fn(ctx, c) }).Await(ctx))
	}
	type texts = []overlay.Statement
	return map[string]func(ctx context.Context, c *overlay.Conn) error{
		"exec": func(ctx context.Context, _ *overlay.Conn) error {
			return second(e.ExecAsync(ctx, insertFrom, "x").Await(ctx))
		},
		"batch": func(ctx context.Context, _ *overlay.Conn) error {
			return second(e.BatchAsync(ctx, texts{{Query: "SELECT 1"}, {Query: "INSERT INTO t (v) VALUES ('x')"}}).Await(ctx))
		},
		"function": func(ctx context.Context, _ *overlay.Conn) error {
			return function(ctx, e, func(ctx context.Context, c *sql.Conn) error { return second(c.ExecContext(ctx, insertFrom, "x")) })
		},
		"function with a transaction": func(ctx context.Context, _ *overlay.Conn) error {
			return function(ctx, e, func(ctx context.Context, c *sql.Conn) error {
				tx, err := c.BeginTx(ctx, nil)
				return inTx(ctx, tx, err)
			})
		},
		"stream": func(ctx context.Context, _ *overlay.Conn) error {
			r, err := e.StreamAsync(ctx, insertFrom+" RETURNING k", "x").Await(ctx)
			if err != nil {
				return err
			}
			return second(r.FetchAllAsync(ctx).Await(ctx))
		},
		"WithTx": func(ctx context.Context, _ *overlay.Conn) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				return second(c.ExecAsync(ctx, insertFrom, "x").Await(ctx))
			})
		},
		"Engine.ExecContext": func(ctx context.Context, _ *overlay.Conn) error { return second(e.ExecContext(ctx, insertFrom, "x")) },
		"Engine.QueryRowContext": func(ctx context.Context, _ *overlay.Conn) (err error) {
			var k int
			return e.QueryRowContext(ctx, insertFrom+" RETURNING k", "x").Scan(&k)
		},
		"Engine.BeginTx": func(ctx context.Context, _ *overlay.Conn) error {
			tx, err := e.BeginTx(ctx, nil)
			return inTx(ctx, tx, err)
		},
		"SyncDB.Prepare": func(ctx context.Context, _ *overlay.Conn) error {
			s, err := e.SyncDB().PrepareContext(ctx, insertFrom)
			if err != nil {
				return err
			}
			return errors.Join(second(s.ExecContext(ctx, "x")), s.Close())
		},
		"RunCallable": func(ctx context.Context, _ *overlay.Conn) error {
			return e.RunCallable(ctx, func(c *sql.Conn) error { return second(c.ExecContext(ctx, insertFrom, "x")) })
		},
		"Conn.exec": func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecAsync(ctx, insertFrom, "x").Await(ctx))
		},
		"Conn.batch": func(ctx context.Context, c *overlay.Conn) error {
			return second(c.ExecManyAsync(ctx, insertFrom, [][]any{{"x"}}).Await(ctx))
		},
		"Conn, by texts": func(ctx context.Context, c *overlay.Conn) error {
			for _, text := range []string{"BEGIN", "SELECT count(*) FROM t", "INSERT INTO t (v) VALUES ('x')", "COMMIT"} {
				if _, err := c.ExecuteAsync(ctx, text).Await(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		"Conn.stream": func(ctx context.Context, c *overlay.Conn) error {
			r, err := c.StreamAsync(ctx, insertFrom+" RETURNING k", "x").Await(ctx)
			if err != nil {
				return err
			}
			return second(r.CloseAsync(ctx).Await(ctx))
		},
		"Conn.function": func(ctx context.Context, c *overlay.Conn) error {
			return function(ctx, c, func(ctx context.Context, c *sql.Conn) error {
				tx, err := c.BeginTx(ctx, nil)
				return inTx(ctx, tx, err)
			})
		},
		"Conn.SyncConn": func(ctx context.Context, c *overlay.Conn) error {
			tx, err := c.SyncConn().BeginTx(ctx, nil)
			return inTx(ctx, tx, err)
		},
	}
}

// However it is written, nobody in the process meets a lock: without a busy timeout that
// would be an error at once.
func TestWriterNobodyMeetsALock(t *testing.T) {
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_sync=0&_busy_timeout=0&_txlock=immediate", overlay.WithWriter())
	noError(t, err)
	defer func() { noError(t, e.Shutdown(atMost(t, 10*time.Second))) }()
	must(t, e.ExecAsync(background, "CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)"))
	warnings.Record(t) // keeps the log quiet
	stop := time.Now().Add(500 * time.Millisecond)
	ctx := reflectguard.MayBlock(atMost(t, 30*time.Second))
	var written atomic.Int64
	var all sync.WaitGroup
	for name, write := range waysToWrite(e) {
		all.Add(1)
		go func() {
			defer all.Done()
			err := e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				n := 0
				for ; time.Now().Before(stop) || n == 0; n++ {
					if err := write(ctx, c); err != nil {
						return fmt.Errorf("%s, after %d: %w", name, n, err)
					}
				}
				written.Add(int64(n))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	for range 2 { // readers
		all.Add(1)
		go func() {
			defer all.Done()
			for time.Now().Before(stop) {
				err := e.WithTx(ctx, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, c *overlay.Conn) error {
					a, errA := overlay.Scalar[int](ctx, c, "SELECT count(*) FROM t").Await(ctx)
					b, errB := overlay.Scalar[int](ctx, c, "SELECT count(*) FROM t").Await(ctx)
					if a != b {
						t.Errorf("a transaction has seen %d and %d rows", a, b)
					}
					return errors.Join(errA, errB)
				})
				if err != nil {
					t.Error(err)
				}
			}
		}()
	}
	all.Wait()
	if n := must(t, overlay.Scalar[int64](background, e, "SELECT count(*) FROM t")); n != written.Load() {
		t.Errorf("%d rows, want %d", n, written.Load())
	}
	t.Logf("%d rows, %+v", written.Load(), e.Stats())
}

func TestWriterReadOnlyTransactionRefusesWrites(t *testing.T) {
	e, _ := withWriter(t)
	err := e.WithTx(background, &sql.TxOptions{ReadOnly: true}, func(ctx context.Context, c *overlay.Conn) error {
		must(t, e.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('beside it')"))
		return second(c.ExecAsync(ctx, "INSERT INTO t (v) VALUES ('in it')").Await(ctx))
	})
	wantError(t, err, overlay.ErrReadOnlyTx)
	if got := keys(t, e); len(got) != 1 {
		t.Errorf("the table has %v", got)
	}
}

// A write that waits for its turn on a Conn can be stopped, and whoever holds the turn
// cannot wait for itself.
func TestWriterTurnOfAConn(t *testing.T) {
	e, _ := withWriter(t)
	warnings.Record(t) // keeps the log quiet
	for name, write := range waysToWrite(e) {
		t.Run(name, func(t *testing.T) {
			noError(t, e.WithConn(background, func(_ context.Context, c *overlay.Conn) error {
				release := held(t, e)
				defer release()
				ctx, cancel := context.WithTimeout(reflectguard.MayBlock(background), 20*time.Millisecond)
				defer cancel()
				start := time.Now()
				wantError(t, write(ctx, c), context.DeadlineExceeded)
				if d := time.Since(start); d > time.Second {
					t.Errorf("it took %v", d)
				}
				return nil
			}))
			if name == "function" || name == "function with a transaction" {
				return // asks the writer
			}
			err := e.WithTx(atMost(t, 10*time.Second), nil, func(ctx context.Context, _ *overlay.Conn) error {
				return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error { return write(reflectguard.MayBlock(ctx), c) })
			})
			wantError(t, err, overlay.ErrWouldDeadlock)
			_, err = overlay.Write(atMost(t, 10*time.Second), e, func(ctx context.Context, _ *sql.Conn) (int, error) {
				return 0, e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error { return write(reflectguard.MayBlock(ctx), c) })
			}).Await(background)
			wantError(t, err, overlay.ErrWouldDeadlock)
		})
	}
	if got := keys(t, e); len(got) != 0 {
		t.Errorf("the table has %v", got)
	}
}
