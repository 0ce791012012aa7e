package liveness_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// engineCalls need a connection of an engine's.
var engineCalls = map[string]func(context.Context, *overlay.Engine) error{
	"ScalarAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"ExecAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecAsync(ctx, "INSERT INTO t (id) VALUES (1)").Await(ctx)
		return err
	},
	"QueryAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.QueryAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"ExecuteAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecuteAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"BatchAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "SELECT 1"}}).Await(ctx)
		return err
	},
	"ExecManyAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecManyAsync(ctx, "INSERT INTO t (id) VALUES (?)", [][]any{{1}}).Await(ctx)
		return err
	},
	"HasTableAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.HasTableAsync(ctx, "t").Await(ctx)
		return err
	},
	"RunInThread": func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 1, nil }).Await(ctx)
		return err
	},
	"ConnectAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ConnectAsync(ctx).Await(ctx)
		return err
	},
	"WithConn": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
	},
	"WithTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"RetryTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.RetryTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"RunCallable": func(ctx context.Context, e *overlay.Engine) error {
		return e.RunCallable(ctx, func(*sql.Conn) error { return nil })
	},
	"ExecContext": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecContext(ctx, "INSERT INTO t (id) VALUES (1)")
		return err
	},
	"QueryRowContext": func(ctx context.Context, e *overlay.Engine) error {
		var n int
		return e.QueryRowContext(ctx, "SELECT 1").Scan(&n)
	},
	"PrepareContext": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.PrepareContext(ctx, "SELECT 1")
		return err
	},
}

// scopes hold a connection and give a context that says so, or, in RunInThread, a
// thread. WithConn does neither.
var scopes = map[string]func(ctx context.Context, e *overlay.Engine, fn func(context.Context) error) error{
	"WithTx": func(ctx context.Context, e *overlay.Engine, fn func(context.Context) error) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, _ *overlay.Conn) error { return fn(ctx) })
	},
	"RetryTx": func(ctx context.Context, e *overlay.Engine, fn func(context.Context) error) error {
		return e.RetryTx(ctx, nil, func(ctx context.Context, _ *overlay.Conn) error { return fn(ctx) })
	},
	"WithNested": func(ctx context.Context, e *overlay.Engine, fn func(context.Context) error) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			return c.WithNested(ctx, func(ctx context.Context, _ *overlay.Conn) error { return fn(ctx) })
		})
	},
	"RunInThread": func(ctx context.Context, e *overlay.Engine, fn func(context.Context) error) error {
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, _ *sql.Conn) (int, error) { return 1, fn(ctx) }).Await(ctx)
		return err
	},
}

// few are engines whose last connection a scope holds.
var few = map[string]func(t *testing.T) *overlay.Engine{
	"in memory": func(t *testing.T) *overlay.Engine { return open(t, "sqlite3", ":memory:") },
	"MaxOpenConns 1": func(t *testing.T) *overlay.Engine {
		db := openAio(t, "sqlite3:"+newFile(t))
		db.SetMaxOpenConns(1)
		return overDB(t, db)
	},
}

func TestAnEngineCallThatWaitsForItsOwnScopeFailsAtOnce(t *testing.T) {
	for what, openFew := range few {
		for scope, run := range scopes {
			for name, call := range engineCalls {
				t.Run(what+"/"+scope+"/"+name, func(t *testing.T) {
					alone(t)
					e := openFew(t)
					works(t, e) // a lane may hold the connection: the scope has to get it
					err := within(t, atOnce+soon, "the scope", func() error {
						return run(brief(t, soon), e, func(ctx context.Context) error {
							start := time.Now()
							defer func() {
								if d := time.Since(start); d > atOnce {
									t.Errorf("the call took %v, not %v", d, atOnce)
								}
							}()
							return call(ctx, e) // in this goroutine, which RunInThread knows
						})
					})
					wantError(t, "the call", err, overlay.ErrWouldDeadlock)
					works(t, e)
				})
			}
		}
	}
}

// With a connection left the same calls are made.
func TestAnEngineCallInAScopeUsesAnotherConnection(t *testing.T) {
	alone(t)
	db := openAio(t, "sqlite3:"+newFile(t)+"?_journal_mode=WAL")
	db.SetMaxOpenConns(2)
	e := overDB(t, db)
	err := within(t, soon, "WithTx", func() error {
		return e.WithTx(bounded(t), nil, func(ctx context.Context, _ *overlay.Conn) error {
			_, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx)
			return err
		})
	})
	noError(t, "WithTx", err)
}

// Two scopes that hold all connections and call the engine wait for each other:
// one of them at least is told, and both have ended by their contexts' end.
func TestScopesThatHoldAllConnectionsReturn(t *testing.T) {
	alone(t)
	db := openAio(t, "sqlite3:"+newFile(t)+"?_journal_mode=WAL")
	db.SetMaxOpenConns(2)
	e := overDB(t, db)
	ctx := brief(t, atOnce)
	var inside [2]chan struct{}
	for i := range inside {
		inside[i] = make(chan struct{})
	}
	var waits []func(testing.TB, string)
	for i := range inside {
		wait := start(func() (int, error) {
			return 1, e.WithConn(ctx, func(ctx context.Context, _ *overlay.Conn) error {
				close(inside[i])
				select {
				case <-inside[1-i]:
				case <-ctx.Done():
				}
				_, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx)
				return err
			})
		})
		waits = append(waits, func(t testing.TB, what string) { t.Helper(); wait(t, atOnce+soon, what) })
	}
	for _, wait := range waits {
		wait(t, "a scope")
	}
	works(t, e)
}
