package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// ends are the ways in which the caller of an endless query gives up.
var ends = map[string]func(t *testing.T) (context.Context, error){
	"cancel": func(t *testing.T) (context.Context, error) {
		ctx, cancel := context.WithCancel(bounded(t))
		time.AfterFunc(50*time.Millisecond, cancel)
		return ctx, context.Canceled
	},
	"deadline": func(t *testing.T) (context.Context, error) {
		return brief(t, 50*time.Millisecond), context.DeadlineExceeded
	},
}

// besideRows opens rows on a connection, stops another query there, and
// goes on with everything else.
func besideRows(t *testing.T, c *sql.Conn, commit bool) error {
	const want = 100_000
	tx, err := c.BeginTx(background, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(background, "INSERT INTO t (id) VALUES (1)"); err != nil {
		return err
	}
	rows, err := tx.QueryContext(background, numbers, want)
	if err != nil {
		return err
	}
	defer rows.Close()
	read := 0
	for read < 10 && rows.Next() {
		read++
	}
	for name, end := range ends {
		ctx, want := end(t)
		var n float64
		begin := time.Now()
		err := tx.QueryRowContext(ctx, endless).Scan(&n)
		wantError(t, "the endless query, "+name, err, want)
		if d := time.Since(begin); d > soon {
			t.Errorf("the endless query, %s: took %v", name, d)
		}
		if _, err := tx.ExecContext(background, "INSERT INTO t (id) VALUES (2)"); err != nil {
			return fmt.Errorf("an insert after the %s: %w", name, err)
		}
		if rows.Next() {
			read++
		}
	}
	if commit { // with the rows still open
		err = tx.Commit()
	} else {
		err = tx.Rollback()
	}
	if err != nil {
		return fmt.Errorf("the end of the transaction: %w", err)
	}
	return nil
}

// A call that is stopped takes nothing along: not the rows of another query on
// the connection, not the calls after it, not the transaction's end.
func TestACancelledQueryLeavesItsNeighboursAlone(t *testing.T) {
	for _, commit := range []bool{true, false} {
		name, want := "COMMIT", 3
		if !commit {
			name, want = "ROLLBACK", 0
		}
		check := func(t *testing.T, db *sql.DB) {
			t.Helper()
			if n := count(t, db, "t"); n != want {
				t.Errorf("%d rows, not %d", n, want)
			}
		}
		t.Run("through database/sql, "+name, func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t)+"?_journal_mode=WAL")
			t.Cleanup(func() { closeDB(t, db) })
			c, err := db.Conn(bounded(t))
			noError(t, "Conn", err)
			noError(t, "the transaction", within(t, patience, "the transaction", func() error { return besideRows(t, c, commit) }))
			noError(t, "Close", within(t, soon, "Close", c.Close))
			check(t, db)
		})
		t.Run("in a function, "+name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			_, err := outcome(t, patience, "the function", overlay.RunInThread(bounded(t), e, func(_ context.Context, c *sql.Conn) (int, error) {
				return 1, besideRows(t, c, commit)
			}))
			noError(t, "the function", err)
			check(t, e.SyncDB())
		})
		t.Run("on SyncConn, "+name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			noError(t, "the transaction", within(t, patience, "the transaction", func() error { return besideRows(t, c.SyncConn(), commit) }))
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
			check(t, e.SyncDB())
		})
	}
}

// The rows of another query can be read to their end after the cancel.
func TestRowsGoOnAfterAnotherQueryWasCancelled(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t))
			t.Cleanup(func() { closeDB(t, db) })
			err := within(t, patience, "the rows", func() error {
				c, err := db.Conn(bounded(t))
				if err != nil {
					return err
				}
				defer c.Close()
				rows, err := c.QueryContext(background, numbers, 50_000)
				if err != nil {
					return err
				}
				defer rows.Close()
				rows.Next()
				ctx, want := end(t)
				var n float64
				wantError(t, "the endless query", c.QueryRowContext(ctx, endless).Scan(&n), want)
				read := 1
				for rows.Next() {
					read++
				}
				if read != 50_000 {
					return fmt.Errorf("%d rows: %w", read, rows.Err())
				}
				return rows.Err()
			})
			noError(t, "the rows", err)
		})
	}
}

// A cancel that comes as its call ends does not hit the next one.
func TestALateCancelDoesNotHitTheNextCall(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	for i := range 500 {
		f := e.QueryAsync(bounded(t), numbers, 200)
		next := overlay.Scalar[int](bounded(t), e, "SELECT ?", i)
		time.Sleep(rand.N(300 * time.Microsecond))
		f.Cancel()
		if n := value(t, "the next call", next); n != i {
			t.Fatalf("%d, not %d", n, i)
		}
	}
}

// A function that closes its sql.Conn leaves nothing that a later cancel could
// touch. The address sanitizer looks at this, too.
func TestACancelAfterAFunctionHasClosedItsConn(t *testing.T) {
	for name, hold := range map[string]func(context.Context, *sql.Conn) error{
		"nothing open": func(context.Context, *sql.Conn) error { return nil },
		"rows open": func(ctx context.Context, c *sql.Conn) error {
			rows, err := c.QueryContext(ctx, numbers, 5000)
			if err == nil {
				rows.Next()
			}
			return err
		},
		"a transaction open": func(ctx context.Context, c *sql.Conn) error {
			_, err := c.BeginTx(ctx, nil)
			return err
		},
	} {
		t.Run(name+" on an Engine", func(t *testing.T) {
			alone(t)
			e := openFile(t)
			e.SyncDB().SetMaxIdleConns(-1) // what goes back to the pool is closed
			cancelAfterClose(t, e, e, hold, name == "nothing open")
		})
		t.Run(name+" on a Conn", func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			cancelAfterClose(t, e, c, hold, name == "nothing open")
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
		})
	}
}

// cancelAfterClose cancels functions that close their connections. Where
// something is open there Close waits for that, as the bare one does, and so
// until the cancel.
func cancelAfterClose(t *testing.T, e *overlay.Engine, to overlay.Target, hold func(context.Context, *sql.Conn) error, returns bool) {
	t.Helper()
	for i := range 20 {
		ctx, cancel := context.WithCancel(bounded(t))
		closed := make(chan struct{}) // or about to be
		f := overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (int, error) {
			err := hold(ctx, c)
			if !returns {
				close(closed)
			}
			c.Close()
			if returns {
				close(closed)
			}
			<-ctx.Done()
			time.Sleep(time.Millisecond) // the cancel reaches for the connection
			return 1, err
		})
		finishes(t, soon, "the function closes its connection", closed)
		if i%2 == 0 {
			cancel()
		} else {
			f.Cancel()
		}
		outcome(t, soon, "the function", f)
		cancel()
		works(t, e)
	}
}

// The same through database/sql: a cancel and Close at the same moment.
func TestACancelWhileAConnIsClosed(t *testing.T) {
	alone(t)
	db := openAio(t, "sqlite3:"+newFile(t))
	db.SetMaxIdleConns(0) // closed is closed
	t.Cleanup(func() { closeDB(t, db) })
	for range 200 {
		ctx, cancel := context.WithCancel(bounded(t))
		wait := start(func() (int, error) {
			c, err := db.Conn(ctx)
			if err != nil {
				return 0, err
			}
			var n int
			c.QueryRowContext(ctx, numbers, 20).Scan(&n)
			return 1, c.Close()
		})
		time.Sleep(rand.N(300 * time.Microsecond))
		cancel()
		wait(t, soon, "the call")
	}
}
