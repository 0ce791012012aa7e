package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A step is a statement in a transaction.
type step struct {
	query   string // with a parameter, the row's id, if it writes a row
	row     bool
	control bool // it is a COMMIT or ROLLBACK, after which each row of the transaction stands for itself
	stopped bool // its context ends as it runs; not in a batch

	ends time.Duration // when its context ends, if not 0; not in a batch
	do   func()        // what the function does instead of a statement, if not nil; not in a batch
}

var row = step{query: insert, row: true}

// A scope is one way to run steps in a transaction. The application goes on after a
// statement that fails, commits at the end, and enters all that it was told.
type scope struct {
	name string
	kind scopeKind
	run  func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error
}

type scopeKind uint8

const (
	byOverlay scopeKind = iota // WithTx and its like
	byHand                     // BeginAsync and CommitAsync
	bySQL                      // a sql.Tx
	byText                     // BEGIN and COMMIT as statements
	byBatch
)

type execFunc func(ctx context.Context, query string, args ...any) error

// take makes the steps, one after the other.
func take(ctx context.Context, g *group, steps []step, exec execFunc) {
	for _, s := range steps {
		if s.do != nil {
			s.do()
			continue
		}
		g.split(s)
		ctx, cancel := context.WithCancel(ctx)
		if s.stopped {
			ctx, cancel = context.WithTimeout(ctx, 30*time.Millisecond)
		}
		if s.ends > 0 {
			ctx, cancel = context.WithTimeout(ctx, s.ends)
		}
		if s.row {
			id := g.next()
			g.told(id, exec(ctx, s.query, id))
		} else {
			exec(ctx, s.query)
		}
		cancel()
	}
}

// row writes one row of a group.
func (g *group) row(ctx context.Context, c *overlay.Conn) error {
	id := g.next()
	return g.told(id, errOf(c.ExecAsync(ctx, insert, id).Await(ctx)))
}

func asyncExec(c *overlay.Conn) execFunc {
	return func(ctx context.Context, query string, args ...any) error {
		return errOf(c.ExecAsync(ctx, query, args...).Await(ctx))
	}
}

func sqlExec(c interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}) execFunc {
	return func(ctx context.Context, query string, args ...any) error {
		return errOf(c.ExecContext(ctx, query, args...))
	}
}

// inSQLTx makes the steps in a sql.Tx.
func inSQLTx(ctx context.Context, l *ledger, what string, steps []step, begin func(context.Context, *sql.TxOptions) (*sql.Tx, error)) error {
	g := l.begin(what)
	tx, err := begin(ctx, nil)
	if err != nil {
		return err
	}
	take(ctx, g, steps, sqlExec(tx))
	err = g.ended(tx.Commit())
	tx.Rollback()
	return err
}

// inText makes the steps between a BEGIN and a COMMIT.
func inText(ctx context.Context, l *ledger, what string, steps []step, exec execFunc) error {
	g := l.begin(what)
	if err := exec(ctx, "BEGIN"); err != nil {
		return err
	}
	take(ctx, g, steps, exec)
	err := g.ended(exec(ctx, "COMMIT"))
	if err != nil {
		exec(background, "ROLLBACK")
	}
	return err
}

// inBatch makes the steps with one call.
func inBatch(ctx context.Context, to target, g *group, steps []step, inTx, keepGoing, text bool, opts []overlay.BatchOption) error {
	var statements []overlay.Statement
	var ids, at []int64
	add := func(query string, args ...any) {
		statements = append(statements, overlay.Statement{Query: query, Args: args})
	}
	if text {
		add("BEGIN")
	}
	for _, s := range steps {
		if s.do != nil {
			continue
		}
		g.split(s)
		if s.row {
			id := g.next()
			ids, at = append(ids, id), append(at, int64(len(statements)))
			add(s.query, id)
		} else {
			add(s.query)
		}
	}
	if text {
		add("COMMIT")
	}
	results, err := to.BatchAsync(ctx, statements, opts...).Await(ctx)
	if inTx && !keepGoing {
		tellBatch(g, ids, inTx, keepGoing, nil, err)
		return err
	}
	for i, id := range ids {
		told := err
		if at[i] < int64(len(results)) {
			told = results[at[i]].Err
		}
		g.told(id, told)
	}
	switch {
	case !text:
		g.ended(nil)
	case len(results) == len(statements):
		g.ended(results[len(results)-1].Err)
	default:
		g.ended(err)
	}
	return err
}

func scopes() []scope {
	all := []scope{
		{"Engine WithTx", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			g := l.begin("Engine WithTx")
			return g.ended(e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				take(ctx, g, steps, asyncExec(c))
				return nil
			}))
		}},
		{"Conn WithTx", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				g := l.begin("Conn WithTx")
				return g.ended(c.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
					take(ctx, g, steps, asyncExec(c))
					return nil
				}))
			})
		}},
		{"RetryTx", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			var g *group
			err := e.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				if g != nil {
					g.ended(errors.New("RetryTx tries again"))
				}
				g = l.begin("RetryTx")
				take(ctx, g, steps, asyncExec(c))
				return nil
			})
			if g != nil {
				g.ended(err)
			}
			return err
		}},
		{"WithNested", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return nestedScope(ctx, e, l, steps, nil)
		}},
		{"WithNested whose error is swallowed", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return nestedScope(ctx, e, l, steps, errOnFall)
		}},
		{"BeginAsync", byHand, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				g := l.begin("BeginAsync")
				f := c.BeginAsync(ctx, nil)
				tx, err := f.Await(ctx)
				if err != nil {
					f.Cancel()
					return err
				}
				take(ctx, g, steps, asyncExec(c))
				err = g.ended(errOf(tx.CommitAsync(ctx).Await(ctx)))
				tx.CloseAsync(background)
				return err
			})
		}},
		{"BeginNestedAsync", byHand, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				outer := l.begin("BeginAsync")
				tx, err := c.BeginAsync(ctx, nil).Await(ctx)
				if err != nil {
					return err
				}
				outer.row(ctx, c)
				g := outer.nested("BeginNestedAsync")
				if nested, err := c.BeginNestedAsync(ctx).Await(ctx); err == nil {
					take(ctx, g, steps, asyncExec(c))
					g.ended(errOf(nested.CommitAsync(ctx).Await(ctx)))
				}
				outer.row(ctx, c)
				err = outer.ended(errOf(tx.CommitAsync(ctx).Await(ctx)))
				tx.CloseAsync(background)
				return err
			})
		}},
		{"Batch InTx KeepGoing in WithTx", byOverlay, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			outer := l.begin("WithTx around a batch")
			return outer.ended(e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				outer.row(ctx, c)
				inBatch(ctx, c, outer.nested("Batch in WithTx"), steps, true, true, false, []overlay.BatchOption{overlay.InTx(nil), overlay.KeepGoing()})
				outer.row(ctx, c)
				return nil
			}))
		}},
		{"sql.DB BeginTx", bySQL, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return inSQLTx(ctx, l, "sql.DB BeginTx", steps, e.SyncDB().BeginTx)
		}},
		{"SyncConn BeginTx", bySQL, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				return inSQLTx(ctx, l, "SyncConn BeginTx", steps, c.SyncConn().BeginTx)
			})
		}},
		{"sql.Conn BEGIN", byText, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			c, err := e.SyncDB().Conn(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			return inText(ctx, l, "sql.Conn BEGIN", steps, sqlExec(c))
		}},
		{"Conn BEGIN", byText, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				return inText(ctx, l, "Conn BEGIN", steps, asyncExec(c))
			})
		}},
	}
	for _, to := range targets {
		all = append(all,
			scope{to.name + " RunInThread BeginTx", bySQL, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
				return to.with(ctx, e, func(to target) error {
					return errOf(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
						return struct{}{}, inSQLTx(ctx, l, "RunInThread BeginTx", steps, c.BeginTx)
					}).Await(background))
				})
			}},
			scope{to.name + " RunInThread BEGIN", byText, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
				return to.with(ctx, e, func(to target) error {
					return errOf(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
						return struct{}{}, inText(ctx, l, "RunInThread BEGIN", steps, sqlExec(c))
					}).Await(background))
				})
			}},
		)
		for _, o := range batchOptions {
			name := to.name + " Batch" + o.name
			if o.inTx {
				all = append(all, scope{name, byBatch, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
					return to.with(ctx, e, func(to target) error {
						return inBatch(ctx, to, l.begin(name), steps, o.inTx, o.keepGoing, false, o.opts)
					})
				}})
				continue
			}
			name += " BEGIN"
			all = append(all, scope{name, byBatch, func(ctx context.Context, e *overlay.Engine, l *ledger, steps []step) error {
				return to.with(ctx, e, func(to target) error {
					return inBatch(ctx, to, l.begin(name), steps, false, o.keepGoing, true, o.opts)
				})
			}})
		}
	}
	return all
}

// nestedScope makes the steps under a savepoint, whose function returns fails, with a row
// before it and one after it.
func nestedScope(ctx context.Context, e *overlay.Engine, l *ledger, steps []step, fails error) error {
	outer := l.begin("WithTx around WithNested")
	return outer.ended(e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		outer.row(ctx, c)
		g := outer.nested("WithNested")
		g.ended(c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
			take(ctx, g, steps, asyncExec(c))
			return fails
		}))
		outer.row(ctx, c)
		return nil
	}))
}
