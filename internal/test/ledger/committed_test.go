package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

var errBank = errors.New("bank: the scripted failure")

// bankScopes are the scopes that a driver serves which cannot say what a text has begun.
func bankScopes() (all []scope) {
	for _, s := range scopes() {
		if !strings.Contains(s.name, "BEGIN") {
			all = append(all, s)
		}
	}
	return all
}

var twoRows = []step{{query: insert, row: true}, {query: insert, row: true}}

// A commit that fails leaves nothing open, whatever the driver does about it. If what is
// left cannot be rolled back either, the connection goes, and the transaction with it.
func TestCommitFails(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, rollbacks := range []int{0, 2} { // that fail as well
			for _, s := range bankScopes() {
				t.Run(fmt.Sprintf("%s, and %d rollbacks", s.name, rollbacks), func(t *testing.T) {
					db := again(t, db)
					e := db.open(t, overlay.WithLanes(1))
					db.bank.once("commit", fails(errBank))
					db.bank.times("rollback", rollbacks, fails(errBank))
					err := within(t, s.name, func() error { return s.run(background, e, db.l, twoRows) })
					if !errors.Is(err, errBank) {
						t.Errorf("%v; want the driver's error", err)
					}
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// A rollback that fails costs the connection: nobody else gets it.
func TestRollbackFails(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for name, run := range map[string]func(e *overlay.Engine, g *group) error{
			"WithTx": func(e *overlay.Engine, g *group) error {
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					return errOnFall
				})
			},
			"WithTx, a panic": func(e *overlay.Engine, g *group) (err error) {
				defer func() { recover(); err = errOnFall }()
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					panic("the application's own panic")
				})
			},
			"BeginAsync": func(e *overlay.Engine, g *group) error {
				return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
					tx, err := c.BeginAsync(ctx, nil).Await(ctx)
					if err != nil {
						return err
					}
					g.row(ctx, c)
					tx.RollbackAsync(ctx).Await(ctx)
					id := g.l.next("on the Conn after its rollback")
					g.l.told(id, errOf(c.ExecAsync(ctx, insert, id).Await(ctx)))
					return errOnFall
				})
			},
			"CloseAsync": func(e *overlay.Engine, g *group) error {
				return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
					c.BeginAsync(ctx, nil).Await(ctx)
					g.row(ctx, c)
					return errOnFall
				})
			},
			"RunInThread": func(e *overlay.Engine, g *group) error {
				return errOf(overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
					txLeft(background, c, g.next())
					return struct{}{}, errOnFall
				}).Await(background))
			},
			"RunInThread, Rollback": func(e *overlay.Engine, g *group) error {
				return errOf(overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
					tx, err := c.BeginTx(ctx, nil)
					if err == nil {
						tx.Exec(insert, g.next())
						tx.Rollback()
					}
					return struct{}{}, errOnFall
				}).Await(background))
			},
			"sql.DB": func(e *overlay.Engine, g *group) error {
				tx, err := e.SyncDB().Begin()
				if err != nil {
					return err
				}
				tx.Exec(insert, g.next())
				tx.Rollback()
				return errOnFall
			},
			"Batch InTx": func(e *overlay.Engine, g *group) error {
				return errOf(e.BatchAsync(background, []overlay.Statement{
					{Query: insert, Args: []any{g.next()}}, {Query: "nonsense"},
				}, overlay.InTx(nil)).Await(background))
			},
		} {
			t.Run(name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t, overlay.WithLanes(1))
				db.bank.times("rollback", 3, fails(errBank))
				g := db.l.begin(name)
				err := within(t, name, func() error { return run(e, g) })
				if g.ended(err) == nil {
					t.Error("no error")
				}
				db.later(t, e)
				db.check(t)
			})
		}
	})
}

// A function with a transaction open ends its goroutine: everything goes with it, and the
// engine goes on.
func TestGoexitInATransaction(t *testing.T) {
	run := func(t *testing.T, db *database) {
		for name, write := range map[string]func(e *overlay.Engine, g *group){
			"RunInThread on an Engine": func(e *overlay.Engine, g *group) {
				f := overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
					txLeft(background, c, g.next())
					runtime.Goexit()
					return struct{}{}, nil
				})
				g.ended(errOf(f.Await(background)))
			},
			"RunInThread on a Conn": func(e *overlay.Engine, g *group) {
				e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
					f := overlay.RunInThread(background, c, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
						txLeft(background, c, g.next())
						runtime.Goexit()
						return struct{}{}, nil
					})
					g.ended(errOf(f.Await(background)))
					return nil
				})
			},
			"WithTx": func(e *overlay.Engine, g *group) {
				g.ended(errOnFall)
				done := make(chan struct{})
				go func() {
					defer close(done)
					e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
						g.row(ctx, c)
						runtime.Goexit()
						return nil
					})
				}()
				<-done
			},
			"RunInThread in WithTx": func(e *overlay.Engine, g *group) {
				g.ended(e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					overlay.RunInThread(ctx, c, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
						runtime.Goexit()
						return struct{}{}, nil
					}).Await(ctx)
					return nil
				}))
			},
		} {
			t.Run(name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t, overlay.WithLanes(1))
				for range 3 {
					g := db.l.begin(name)
					within(t, name, func() error { write(e, g); return nil })
					if !db.memory { // of which a thread's end takes everything
						db.later(t, e)
					}
				}
				if !db.memory {
					db.check(t)
				}
			})
		}
	}
	onEach(t, run)
	onBank(t, run)
}

// A panic in a function or a scope is the caller's, and takes its transaction along.
func TestPanicInATransaction(t *testing.T) {
	run := func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		for name, write := range map[string]func(g *group){
			"WithTx": func(g *group) {
				e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					panic("the application's own panic")
				})
			},
			"RetryTx": func(g *group) {
				e.RetryTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					g.row(ctx, c)
					panic("the application's own panic")
				})
			},
			"WithConn": func(g *group) {
				e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
					c.BeginAsync(ctx, nil).Await(ctx)
					g.row(ctx, c)
					panic("the application's own panic")
				})
			},
			"RunInThread": func(g *group) {
				panic(errOf(overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
					txLeft(ctx, c, g.next())
					panic("the application's own panic")
				}).Await(background)))
			},
		} {
			g := db.l.begin(name)
			g.ended(errOnFall)
			within(t, name, func() (err error) {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: the panic was swallowed", name)
					}
				}()
				write(g)
				return nil
			})
			db.later(t, e)
		}
		db.check(t)
	}
	onEach(t, run)
	onBank(t, run)
}
