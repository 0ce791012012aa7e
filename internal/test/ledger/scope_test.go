package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// WithTx is a scope: what happened in it and was not looked at counts.

// failing are calls that fail.
var failing = map[string]func(ctx context.Context, c *overlay.Conn) func() error{
	"ExecAsync": func(ctx context.Context, c *overlay.Conn) func() error {
		return settled(c.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)"))
	},
	"ExecuteAsync": func(ctx context.Context, c *overlay.Conn) func() error {
		return settled(c.ExecuteAsync(ctx, "INSERT INTO nowhere VALUES (1)"))
	},
	"BatchAsync": func(ctx context.Context, c *overlay.Conn) func() error {
		return settled(c.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO nowhere VALUES (1)"}}))
	},
	"ExecManyAsync": func(ctx context.Context, c *overlay.Conn) func() error {
		return settled(c.ExecManyAsync(ctx, "INSERT INTO nowhere VALUES (?)", [][]any{{1}}))
	},
	"RunInThread": func(ctx context.Context, c *overlay.Conn) func() error {
		return settled(overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
		}))
	},
}

// settled waits for a future without looking at its error.
func settled[T any](f *overlay.Future[T]) func() error {
	return func() error {
		<-f.Done()
		return nil
	}
}

// inScopes are the scopes whose function returns nil after calling fn.
var inScopes = map[string]func(e *overlay.Engine, fn func(ctx context.Context, c *overlay.Conn)) error{
	"WithTx": func(e *overlay.Engine, fn func(context.Context, *overlay.Conn)) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error { fn(ctx, c); return nil })
	},
	"RetryTx": func(e *overlay.Engine, fn func(context.Context, *overlay.Conn)) error {
		return e.RetryTx(background, nil, func(ctx context.Context, c *overlay.Conn) error { fn(ctx, c); return nil })
	},
	"WithNested": func(e *overlay.Engine, fn func(context.Context, *overlay.Conn)) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error { fn(ctx, c); return nil })
		})
	},
}

// A statement that failed and that nobody awaited fails the scope.
func TestUnawaitedFailureFailsTheScope(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		for name, in := range inScopes {
			for kind, call := range failing {
				for _, done := range []bool{true, false} {
					g := db.l.begin(name + ", " + kind)
					err := within(t, name, func() error {
						return in(e, func(ctx context.Context, c *overlay.Conn) {
							g.row(ctx, c)
							wait := call(ctx, c)
							if done {
								wait()
							}
						})
					})
					if g.ended(err) == nil {
						t.Errorf("%s: nil, although %s has failed (done %v)", name, kind, done)
					} else if !strings.Contains(err.Error(), "nowhere") && done {
						t.Errorf("%s: %v; want the error of %s", name, err, kind)
					}
				}
			}
		}
		db.later(t, e)
		db.check(t)
	})
}

// One whose error the function has looked at is the function's affair.
func TestAwaitedFailureIsTheFunctionsAffair(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		for name, in := range inScopes {
			g := db.l.begin(name)
			err := within(t, name, func() error {
				return in(e, func(ctx context.Context, c *overlay.Conn) {
					g.row(ctx, c)
					c.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)").Await(ctx)
					f := c.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)")
					<-f.Done()
					f.TryResult()
					g.row(ctx, c)
				})
			})
			if g.ended(err) != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		db.check(t)
	})
}

// A statement that is still under way as the function returns fails the scope.
func TestStatementUnderWayFailsTheScope(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for name, in := range inScopes {
			t.Run(name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t)
				g := db.l.begin(name)
				free := make(chan struct{})
				var behind *overlay.Future[sql.Result]
				err := within(t, name, func() error {
					return in(e, func(ctx context.Context, c *overlay.Conn) {
						g.row(ctx, c)
						began := make(chan struct{})
						overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
							close(began)
							select {
							case <-free:
							case <-ctx.Done(): // the scope may stop it
							}
							return struct{}{}, ctx.Err()
						})
						<-began
						id := g.next()
						g.told(id, errUnknown) // nobody looks
						behind = c.ExecAsync(ctx, insert, id)
						// The scope may stop its calls, or wait for them: they take a second.
						time.AfterFunc(time.Second, func() { close(free) })
					})
				})
				if g.ended(err) == nil {
					t.Error("nil, although calls were under way")
				}
				outcome(t, "the call under way", behind)
				db.later(t, e)
				db.check(t)
			})
		}
	})
}

// Nothing that a scope's goroutines ask for after its end becomes part of something else.
func TestCallsAfterTheScopesEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		var c *overlay.Conn
		g := db.l.begin("WithTx")
		g.ended(within(t, "WithTx", func() error {
			return e.WithTx(background, nil, func(ctx context.Context, in *overlay.Conn) error {
				c = in
				return g.row(ctx, in)
			})
		}))
		other := db.l.begin("another WithTx")
		other.ended(within(t, "another WithTx", func() error {
			return e.WithTx(background, nil, func(ctx context.Context, in *overlay.Conn) error {
				id := db.l.next("a call on the Conn of a scope that is over")
				if db.l.told(id, errOf(c.ExecAsync(ctx, insert, id).Await(ctx))) == nil {
					t.Error("a call on the Conn of a scope that is over was made")
				}
				other.row(ctx, in)
				return errOnFall
			})
		}))
		db.check(t)
	})
}

// However full the queue is, a transaction is ended.
func TestFullQueueDoesNotKeepATransactionOpen(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, fails := range []error{nil, errOnFall} {
			e := db.open(t, overlay.WithQueue(1), db.lanes(2))
			free := make(chan struct{})
			g := db.l.begin("WithTx")
			done := make(chan struct{})
			err := within(t, "WithTx", func() error {
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					began := make(chan struct{})
					overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
						close(began)
						<-free
						close(done)
						return struct{}{}, nil
					})
					<-began
					for range 5 { // more than there is room for
						id := g.next()
						g.told(id, errUnknown)
						c.ExecAsync(ctx, insert, id)
					}
					defer close(free)
					return fails
				})
			})
			arrives(t, "the function", done)
			if g.ended(err) == nil {
				t.Error("WithTx returned nil, although calls were refused, or under way")
			}
			db.wantFree(t)
			if db.memory {
				break // another engine has another database
			}
		}
		db.check(t)
	})
}

// Many who come at once with room for one: each is told the truth.
func TestManyWithRoomForOne(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithQueue(1), overlay.WithLanes(1))
		all := ways()
		noError(t, "all ways", within(t, "all ways", func() error {
			var wg sync.WaitGroup
			for i := range 4 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for j := range all {
						w := all[(i*len(all)/4+j)%len(all)]
						if db.memory && strings.HasPrefix(w.name, "sql.") {
							continue // the pool's only connection is the engine's
						}
						ctx, cancel := context.WithTimeout(background, patience/4)
						w.write(ctx, e, db.l)
						cancel()
					}
				}()
			}
			wg.Wait()
			return nil
		}))
		db.check(t)
	})
}

// A call of another goroutine that comes after BeginAsync, before that is awaited, does not
// become part of the transaction.
func TestCallBehindAnothersBegin(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		c := must(t, "connect", e.ConnectAsync(background))
		release := hold(t, c)
		begin := c.BeginAsync(background, nil)
		id := db.l.next("another goroutine's call")
		others := make(chan *overlay.Future[sql.Result])
		go func() { others <- c.ExecAsync(background, insert, id) }()
		f := <-others
		release()
		tx := must(t, "begin", begin)
		rolled := tx.RollbackAsync(background)
		_, err := outcome(t, "the call", f)
		db.l.told(id, err)
		must(t, "rollback", rolled)
		must(t, "close", c.CloseAsync(background))
		db.check(t)
	})
}

// A Tx that is collected while its commit waits is committed.
func TestTxCollectedDuringItsCommit(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		c := must(t, "connect", e.ConnectAsync(background))
		for range 3 {
			g := db.l.begin("Tx")
			free := make(chan struct{})
			f := func() *overlay.Future[struct{}] {
				tx := must(t, "begin", c.BeginAsync(background, nil))
				g.row(background, c)
				overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (struct{}, error) {
					<-free
					return struct{}{}, nil
				})
				return tx.CommitAsync(background)
			}()
			for range 3 {
				runtime.GC()
			}
			close(free)
			_, err := outcome(t, "commit", f)
			if g.ended(err) != nil {
				t.Errorf("commit: %v", err)
			}
		}
		must(t, "close", c.CloseAsync(background))
		db.check(t)
	})
}

// The pool's goroutine rolls back a sql.Tx whose context has ended. A Commit that waits for
// the thread meanwhile has not been made.
func TestCommitWaitsForTheThread(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		c := must(t, "connect", e.ConnectAsync(background))
		for range 20 {
			g := db.l.begin("SyncConn")
			tx, err := c.SyncConn().BeginTx(background, nil)
			noError(t, "begin", err)
			id := g.next()
			g.told(id, errOf(tx.Exec(insert, id)))
			free, began := make(chan struct{}), make(chan struct{})
			f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (struct{}, error) {
				close(began)
				<-free
				return struct{}{}, nil
			})
			// The function may be refused, or wait for the transaction's end.
			select {
			case <-began:
			case <-f.Done():
			}
			told := make(chan error, 1)
			go func() { told <- tx.Commit() }()
			select {
			case err = <-told: // the function has the thread, or was refused
				if g.ended(err) == nil && !db.memory && db.rows(t)[id] != 1 {
					t.Error("Commit returned nil, and the row is not there")
				}
				close(free)
			case <-time.After(50 * time.Millisecond): // it waits for the function, as it may
				close(free)
				g.ended(within(t, "Commit", func() error { return <-told }))
			}
			outcome(t, "the function", f)
			tx.Rollback()
		}
		must(t, "close", c.CloseAsync(background))
		db.check(t)
	})
}

// A Commit that waits for its connection while the context ends, and somebody else begins a
// transaction there, returns nil only if it was made.
func TestCommitBehindAnothersBegin(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		if db.memory {
			t.Skip("database/sql drops the connection, and the database with it, bare as well")
		}
		e := db.open(t)
		for range 10 {
			noError(t, "all", within(t, "all", func() error {
				c, err := e.SyncDB().Conn(background)
				if err != nil {
					return err
				}
				defer c.Close()
				w, err := aio.Thread(c)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(background)
				defer cancel()
				first := db.l.begin("the first sql.Tx")
				tx, err := c.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				id := first.next()
				first.told(id, errOf(tx.Exec(insert, id)))
				free, busy := make(chan struct{}), make(chan struct{})
				ran, begun, committed := make(chan error, 1), make(chan struct{}), make(chan error, 1)
				go func() { ran <- w.Run(background, func() { close(busy); <-free }) }()
				<-busy
				go func() {
					defer close(begun)
					inSQLTx(background, db.l, "the second sql.Tx", []step{row}, c.BeginTx)
				}()
				time.Sleep(5 * time.Millisecond) // so that it is likely to be the first
				go func() { committed <- tx.Commit() }()
				time.Sleep(5 * time.Millisecond)
				cancel()
				time.Sleep(5 * time.Millisecond)
				close(free)
				first.ended(<-committed)
				<-begun
				tx.Rollback()
				return <-ran
			}))
		}
		db.check(t)
	})
}

// A sql.Tx begun while an earlier one's context ends is its own: its Commit is made, or is
// an error.
func TestBeginWhileAnEarlierContextEnds(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		noError(t, "all", within(t, "all", func() error {
			for i := range 100 {
				err := e.WithConn(background, func(_ context.Context, oc *overlay.Conn) error {
					c := oc.SyncConn()
					if i%2 == 0 && !db.memory {
						own, err := e.SyncDB().Conn(background)
						if err != nil {
							return err
						}
						defer own.Close()
						c = own
					}
					first := db.l.begin("the first sql.Tx")
					ctx, cancel := context.WithCancel(background)
					defer cancel()
					tx, err := c.BeginTx(ctx, nil)
					if err != nil {
						return nil
					}
					id := first.next()
					first.told(id, errOf(tx.Exec(insert, id)))
					committed := make(chan error, 1)
					go func() { committed <- tx.Commit() }()
					cancel()
					inSQLTx(background, db.l, "the second sql.Tx", []step{row}, c.BeginTx)
					first.ended(<-committed)
					tx.Rollback()
					return nil
				})
				if err != nil && !errors.Is(err, sql.ErrConnDone) {
					return err
				}
			}
			return nil
		}))
		db.check(t)
	})
}
