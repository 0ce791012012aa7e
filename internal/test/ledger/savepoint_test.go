package ledger_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// What a nested function wrote goes with its error, and nothing else does.
func TestNestedErrorTakesItsRowsAlone(t *testing.T) {
	run := func(t *testing.T, db *database) {
		e := db.open(t)
		for name, fails := range map[string]func() error{
			"returns nil":      func() error { return nil },
			"returns an error": func() error { return errOnFall },
			"panics":           func() error { panic("the application's own panic") },
		} {
			outer := db.l.begin("outer of one that " + name)
			err := within(t, name, func() error {
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					outer.row(ctx, c)
					for range 2 {
						g := outer.nested("one that " + name)
						func() {
							defer func() {
								if recover() != nil {
									g.ended(errOnFall)
								}
							}()
							g.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
								g.row(ctx, c)
								inner := g.nested("the innermost")
								inner.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
									inner.row(ctx, c)
									return nil
								}))
								return fails()
							}))
						}()
						outer.row(ctx, c)
					}
					return nil
				})
			})
			if outer.ended(err) != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		db.check(t)
	}
	onEach(t, run)
	onBank(t, run)
}

// Rows of savepoints go with the transaction around them, released or not.
func TestSavepointsGoWithTheirTransaction(t *testing.T) {
	run := func(t *testing.T, db *database) {
		e := db.open(t)
		for name, end := range map[string]func(tx *overlay.Tx) error{
			"commit":   func(tx *overlay.Tx) error { return errOf(tx.CommitAsync(background).Await(background)) },
			"rollback": func(tx *overlay.Tx) error { return errOf(tx.RollbackAsync(background).Await(background)) },
			"close":    func(tx *overlay.Tx) error { return errOf(tx.CloseAsync(background).Await(background)) },
		} {
			for _, released := range []bool{true, false} {
				outer := db.l.begin("outer, " + name)
				noError(t, name, within(t, name, func() error {
					return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
						tx, err := c.BeginAsync(ctx, nil).Await(ctx)
						if err != nil {
							return err
						}
						outer.row(ctx, c)
						g := outer.nested("savepoint, " + name)
						nested, err := c.BeginNestedAsync(ctx).Await(ctx)
						if err != nil {
							return err
						}
						g.row(ctx, c)
						g.ended(nil) // until the outer one has ended
						if released {
							g.ended(errOf(nested.CommitAsync(ctx).Await(ctx)))
						}
						err = end(tx)
						if outer.ended(err); name != "commit" {
							outer.ended(errOnFall)
						}
						if !released && errOf(nested.CommitAsync(ctx).Await(ctx)) == nil {
							t.Error("a savepoint can be released after its transaction")
						}
						return err
					})
				}))
			}
		}
		db.check(t)
	}
	onEach(t, run)
	onBank(t, run)
}

// A batch InTx in a transaction is a savepoint of its own.
func TestBatchInATransactionIsASavepoint(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		db.taken(t, e)
		for _, o := range batchOptions {
			outer := db.l.begin("outer")
			err := within(t, "WithTx", func() error {
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					outer.row(ctx, c)
					inBatch(ctx, c, outer.nested("Batch"+o.name), []step{
						row,
						{query: "INSERT INTO ledger (id, k) VALUES (?, 1)", row: true}, // there already
						row,
					}, o.inTx, o.keepGoing, false, o.opts)
					outer.row(ctx, c)
					return nil
				})
			})
			if outer.ended(err) != nil {
				t.Errorf("%s: %v", o.name, err)
			}
		}
		db.check(t)
	})
}

// A savepoint that the application releases by itself, or one that it leaves, changes
// nothing about what was acknowledged.
func TestSavepointsAsText(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		for _, text := range []string{"SAVEPOINT mine", "SAVEPOINT mine; RELEASE SAVEPOINT mine", "SAVEPOINT mine; ROLLBACK TO SAVEPOINT mine"} {
			outer := db.l.begin(text)
			outer.ended(within(t, text, func() error {
				return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
					outer.row(ctx, c)
					c.ExecAsync(ctx, text).Await(ctx)
					g := outer.nested(text)
					g.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
						g.row(ctx, c)
						return errOnFall
					}))
					outer.row(ctx, c)
					return nil
				})
			}))
		}
		db.check(t)
	})
}

// On SQLite a SAVEPOINT without BEGIN opens a transaction, which nobody may inherit.
func TestSavepointLeftOpenOnAnEngine(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		if _, err := outcome(t, "SAVEPOINT", e.ExecAsync(background, "SAVEPOINT mine")); err == nil {
			t.Error("the call that left a transaction open is not told")
		}
		db.later(t, e)
		db.check(t)
	})
}

// A savepoint that can be neither released nor rolled back is not committed with the
// transaction around it.
func TestEndOfASavepointFails(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, c := range []struct {
			steps    []string // that fail
			returned error    // by the function
		}{
			{[]string{"release"}, nil},
			{[]string{"release", "rollback"}, nil},
			{[]string{"rollback"}, errOnFall},
		} {
			for _, fail := range []error{errBank, driver.ErrBadConn} {
				t.Run(fmt.Sprint(c.steps, ", ", fail), func(t *testing.T) {
					db := again(t, db)
					e := db.open(t)
					for _, step := range c.steps {
						db.bank.once(step, fails(fail))
					}
					outer := db.l.begin("outer")
					outer.ended(within(t, "WithTx", func() error {
						return e.WithTx(background, nil, func(ctx context.Context, in *overlay.Conn) error {
							outer.row(ctx, in)
							g := outer.nested("nested")
							err := in.WithNested(ctx, func(ctx context.Context, in *overlay.Conn) error {
								g.row(ctx, in)
								return c.returned
							})
							if g.ended(err) == nil {
								t.Error("WithNested returned nil although its end has failed")
							}
							outer.row(ctx, in)
							return nil
						})
					}))
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// So with the savepoint of a batch, whose caller is told of the statement that has failed.
func TestRollbackOfABatchsSavepointFails(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		e := db.open(t)
		db.bank.once("rollback", fails(errBank))
		outer := db.l.begin("outer")
		outer.ended(within(t, "WithTx", func() error {
			return e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				outer.row(ctx, c)
				inBatch(ctx, c, outer.nested("batch"), []step{row, {query: "nonsense"}}, true, false, false, []overlay.BatchOption{overlay.InTx(nil)})
				outer.row(ctx, c)
				return nil
			})
		}))
		db.later(t, e)
		db.check(t)
	})
}
