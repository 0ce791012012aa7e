package ends

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
	"github.com/sqlaio/sqlaio/overlay"
)

// texts end a transaction by DDL, on a table that somebody uses.
var texts = map[string]bool{ // whether they are queried
	"ALTER TABLE u ADD a INTEGER":                     false,
	insert2 + "; ALTER TABLE u ADD a INTEGER":         false,
	"SELECT 1; ALTER TABLE u ADD a INTEGER":           true,
	"EXECUTE IMMEDIATE 'ALTER TABLE u ADD a INTEGER'": false,
	"LOCK TABLES u WRITE":                             false,
	"/*M! ALTER TABLE u ADD a INTEGER */":             false,
}

// DDL has committed what came before as it fails, or is stopped: with its own call's
// context, or with that of the whole transaction.
func TestWithTxWhoseDDLFails(t *testing.T) {
	const late = 100 * time.Millisecond
	for text, queried := range texts {
		for how, limits := range map[string][2]time.Duration{
			"waits for a lock in vain": {time.Minute, time.Minute},
			"is cancelled":             {time.Minute, late},
			"is cancelled with all":    {late, time.Minute},
		} {
			t.Run(text+"/"+how, func(t *testing.T) {
				d := onMariaDB(t)
				d.lockU(t)
				ctx, cancel := context.WithTimeout(bg, limits[0])
				defer cancel()
				d.check(t, 1, d.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) (err error) {
					d.do(t, c, "SET lock_wait_timeout = 1")
					d.do(t, c, insert1)
					ctx, cancel := context.WithTimeout(ctx, limits[1])
					defer cancel()
					if queried {
						_, err = c.QueryAsync(ctx, text).Await(ctx)
					} else {
						_, err = c.ExecAsync(ctx, text).Await(ctx)
					}
					return err
				}))
			})
		}
	}
}

// So also if ROLLBACK is not answered before the context's end.
func TestWithTxWhoseRollbackStalls(t *testing.T) {
	for name, text := range map[string]string{
		"DDL fails":        "CREATE TABLE u (k INTEGER)",
		"DDL is cancelled": "ALTER TABLE u ADD a INTEGER",
		"DDL succeeds":     "CREATE TABLE w (k INTEGER)",
	} {
		t.Run(name, func(t *testing.T) {
			d := onMariaDB(t)
			if name == "DDL is cancelled" {
				d.lockU(t)
			}
			ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
			defer cancel()
			d.check(t, 1, d.slow(t, "ROLLBACK", time.Second).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				d.do(t, c, insert1)
				_, err := c.ExecAsync(ctx, text).Await(ctx)
				return err
			}))
		})
	}
}

// Savepoints whose functions overlap leave the scope around them as it was.
func TestOverlappingNestedLeaveTheirScope(t *testing.T) {
	d := onSQLite(t)
	err := d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		firstIn, secondIn, firstOut, secondOut := make(chan bool), make(chan bool), make(chan bool), make(chan bool)
		go func() {
			defer close(firstOut)
			c.WithNested(ctx, func(context.Context, *overlay.Conn) error { close(firstIn); <-secondIn; return nil })
		}()
		<-firstIn
		go func() {
			defer close(secondOut)
			c.WithNested(ctx, func(context.Context, *overlay.Conn) error { close(secondIn); <-firstOut; return nil })
		}()
		<-secondOut
		d.do(t, c, insert1)
		<-c.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)").Done() // nobody looks
		return nil
	})
	if err == nil || d.has(t, 1) {
		t.Errorf("committed though a statement has failed and nobody has looked: %v", err)
	}
}

// A call that is under way as the function returns is stopped, also if the function has
// failed.
func TestWithTxStopsWhatIsUnderWay(t *testing.T) {
	for name, end := range map[string]func() error{
		"nil":      func() error { return nil },
		"an error": func() error { return errMine },
		"a panic":  func() error { panic(errMine) },
	} {
		t.Run(name, func(t *testing.T) {
			d := onSQLite(t)
			ended := make(chan error, 1)
			go func() {
				defer func() {
					if v := recover(); v != nil {
						ended <- v.(error)
					}
				}()
				ended <- d.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
					d.do(t, c, insert1)
					c.QueryAsync(ctx, endless)
					return end()
				})
			}()
			select {
			case err := <-ended:
				if err == nil || d.has(t, 1) {
					t.Errorf("WithTx has committed: %v", err)
				}
			case <-limit(t).Done():
				t.Fatal("WithTx has not returned")
			}
		})
	}
}

// WithTx alone ends its transaction: its function is refused, and nothing is made
// outside of it.
func TestWithTxAloneEndsItsTransaction(t *testing.T) {
	for name, end := range map[string]func(context.Context, *overlay.Tx) error{
		"CommitAsync": func(ctx context.Context, tx *overlay.Tx) error { _, err := tx.CommitAsync(ctx).Await(ctx); return err },
		"RollbackAsync": func(ctx context.Context, tx *overlay.Tx) error {
			_, err := tx.RollbackAsync(ctx).Await(ctx)
			return err
		},
		"CloseAsync": func(ctx context.Context, tx *overlay.Tx) error { _, err := tx.CloseAsync(ctx).Await(ctx); return err },
	} {
		for _, result := range []error{nil, errMine} {
			t.Run(fmt.Sprint(name, ", ", result), func(t *testing.T) {
				d := onSQLite(t)
				var tx *overlay.Tx
				err := d.connect(t).WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
					tx = c.Tx()
					d.do(t, c, insert1)
					if err := end(ctx, tx); err == nil {
						t.Error("the function has ended it")
					}
					_, err := c.SyncConn().ExecContext(ctx, insert2)
					noError(t, err)
					return result
				})
				if !errors.Is(err, result) {
					t.Error(err)
				}
				d.check(t, 1, err)
				d.check(t, 2, err)
				if err := end(bg, tx); errors.Is(err, sql.ErrTxDone) != (name != "CloseAsync") {
					t.Errorf("%s after WithTx: %v", name, err)
				}
			})
		}
	}
}

// What a scope does after the transaction around it has ended is refused, not made
// outside of it.
func TestNestedWhoseTransactionEnds(t *testing.T) {
	d := onSQLite(t)
	c := d.connect(t)
	tx, err := c.BeginAsync(bg, nil).Await(bg)
	noError(t, err)
	err = c.WithNested(bg, func(ctx context.Context, c *overlay.Conn) error {
		_, err := tx.RollbackAsync(ctx).Await(ctx)
		noError(t, err)
		if _, err := c.ExecAsync(ctx, insert1).Await(ctx); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("a statement: %v, want ErrTxDone", err)
		}
		return nil
	})
	d.check(t, 1, err)
}

// What was left, and is under way as WithTx ends, may end its transaction.
func TestWithTxWhoseDDLIsLeft(t *testing.T) {
	for _, result := range []error{nil, errMine} {
		t.Run(fmt.Sprint(result), func(t *testing.T) {
			d := onMariaDB(t)
			ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
			defer cancel()
			err := d.slow(t, "CREATE TABLE w", 400*time.Millisecond).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				d.do(t, c, insert1)
				c.ExecAsync(ctx, "CREATE TABLE w (k INTEGER)").Await(ctx)
				return result
			})
			d.check(t, 1, err)
		})
	}
}

func TestWithTxWhoseFunctionInThreadIsLeft(t *testing.T) {
	d := onSQLite(t)
	free, committed := make(chan struct{}), make(chan error, 1)
	ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
	defer cancel()
	err := d.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		d.do(t, c, insert1)
		overlay.RunInThread(bg, c, func(_ context.Context, sc *sql.Conn) (int, error) {
			<-free
			_, err := sc.ExecContext(bg, "COMMIT")
			committed <- err
			return 0, err
		}).Await(ctx)
		return errMine
	})
	close(free)
	t.Log(<-committed) // it is being stopped
	d.check(t, 1, err)
}

// The answer to a text that commits is lost together with the connection.
func TestWithTxWhoseTextIsNotAnswered(t *testing.T) {
	for _, text := range []string{"CREATE TABLE w (k INTEGER)", "COMMIT", "CALL p()"} {
		t.Run(text, func(t *testing.T) {
			d := onMariaDB(t)
			d.do(t, d, "CREATE PROCEDURE p() COMMIT")
			network, through := proxy.Before(t, d.cfg)
			muted := make(chan *proxy.Conn, 1)
			network.At(text, func(c *proxy.Conn) bool { c.Mute(); muted <- c; return true })
			e, err := overlay.Open("mysql", through.FormatDSN())
			noError(t, err)
			defer e.Shutdown(limit(t))
			go func() {
				c := <-muted
				for !d.has(t, 1) {
					time.Sleep(time.Millisecond)
				}
				c.Reset()
			}()
			d.check(t, 1, e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
				d.do(t, c, insert1)
				c.ExecAsync(ctx, text).Await(ctx)
				return errMine
			}))
		})
	}
}
