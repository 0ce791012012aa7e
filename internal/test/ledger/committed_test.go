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

var twoRows = []step{row, row}

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

// inTxs write a row in a transaction that is not to be committed, and call then for the end
// of their function.
var inTxs = map[string]func(e *overlay.Engine, g *group, then func() error) error{
	"WithTx": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			g.row(ctx, c)
			return then()
		})
	},
	"RetryTx": func(e *overlay.Engine, g *group, then func() error) error {
		return e.RetryTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			g.row(ctx, c)
			return then()
		})
	},
	"WithNested": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			g.row(ctx, c)
			return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				g.row(ctx, c)
				return then()
			})
		})
	},
	"BeginAsync": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			c.BeginAsync(ctx, nil).Await(ctx)
			g.row(ctx, c)
			return then()
		})
	},
	"RollbackAsync": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
			tx, err := c.BeginAsync(ctx, nil).Await(ctx)
			if err != nil {
				return err
			}
			g.row(ctx, c)
			tx.RollbackAsync(ctx).Await(ctx)
			id := g.l.next("on the Conn after its rollback")
			g.l.told(id, errOf(c.ExecAsync(ctx, insert, id).Await(ctx)))
			return then()
		})
	},
	"RunInThread": func(e *overlay.Engine, g *group, then func() error) error {
		return leaveInThread(background, e, g, then)
	},
	"RunInThread on a Conn": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error { return leaveInThread(ctx, c, g, then) })
	},
	"RunInThread in WithTx": func(e *overlay.Engine, g *group, then func() error) error {
		return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
			g.row(ctx, c)
			err := errOf(overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (struct{}, error) { return struct{}{}, then() }).Await(ctx))
			if g.row(ctx, c) == nil {
				return err
			}
			return nil // the connection is lost: that is the scope's to tell
		})
	},
	"RunInThread and Rollback": func(e *overlay.Engine, g *group, then func() error) error {
		return errOf(overlay.RunInThread(background, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
			return struct{}{}, rollBack(c.BeginTx, g, then)
		}).Await(background))
	},
	"sql.DB": func(e *overlay.Engine, g *group, then func() error) error {
		return rollBack(e.SyncDB().BeginTx, g, then)
	},
	"Batch InTx": func(e *overlay.Engine, g *group, _ func() error) error {
		return errOf(e.BatchAsync(background, []overlay.Statement{
			{Query: insert, Args: []any{g.next()}}, {Query: "nonsense"},
		}, overlay.InTx(nil)).Await(background))
	},
}

func leaveInThread(ctx context.Context, to target, g *group, then func() error) error {
	return errOf(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		txLeft(background, c, g.next())
		return struct{}{}, then()
	}).Await(background))
}

func rollBack(begin func(context.Context, *sql.TxOptions) (*sql.Tx, error), g *group, then func() error) error {
	tx, err := begin(background, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	tx.Exec(insert, g.next())
	return then()
}

// A function with a transaction open that returns an error, panics or ends its goroutine
// takes everything along, and the engine goes on. A rollback that fails costs the
// connection: nobody else gets it.
func TestFunctionFailsInATransaction(t *testing.T) {
	run := func(t *testing.T, db *database) {
		for name, in := range inTxs {
			for end, then := range map[string]func() error{
				"an error": func() error { return errOnFall },
				"a panic":  func() error { panic("the application's own panic") },
				"Goexit":   func() error { runtime.Goexit(); return nil },
			} {
				for _, rollbacks := range []int{0, 3} { // that fail
					if rollbacks > 0 && db.bank == nil {
						continue
					}
					if db.memory && end == "Goexit" && strings.Contains(name, "RunInThread") {
						continue // a thread's end takes the database along
					}
					t.Run(fmt.Sprintf("%s: %s, %d rollbacks fail", name, end, rollbacks), func(t *testing.T) {
						db := again(t, db)
						e := db.open(t, overlay.WithLanes(1))
						for range 3 {
							if rollbacks > 0 {
								db.bank.times("rollback", rollbacks, fails(errBank))
							}
							g := db.l.begin(name)
							err := within(t, name, func() (err error) {
								defer func() {
									if p := recover(); p != nil {
										err = fmt.Errorf("panic: %v", p)
									}
								}()
								return in(e, g, then)
							})
							if g.ended(err) == nil {
								t.Error("neither an error nor a panic")
							}
							db.later(t, e)
						}
						db.check(t)
					})
				}
			}
		}
	}
	onEach(t, run)
	onBank(t, run)
}
