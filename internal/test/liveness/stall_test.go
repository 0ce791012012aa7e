package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
	"github.com/sqlaio/sqlaio/overlay"
)

// A stalled call runs on a network that stalls before it or in it.
type stalledCall struct {
	at      string // the request at which the network stalls; "": before the call
	write   bool   // its outcome cannot be known
	overlay func(ctx context.Context, e *overlay.Engine) error
	plain   func(ctx context.Context, db *sql.DB) error
}

const stallInsert = "INSERT INTO liveness_stall (id) VALUES (1)"

var stalledCalls = map[string]stalledCall{
	"a query": {
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.QueryAsync(ctx, "SELECT 1").Await(ctx)
			return err
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			var n int
			return db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
		},
	},
	"a query with arguments": {
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.QueryAsync(ctx, "SELECT ?", 1).Await(ctx)
			return err
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			var n int
			return db.QueryRowContext(ctx, "SELECT ?", 1).Scan(&n)
		},
	},
	"a write": {
		at: "INSERT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.ExecAsync(ctx, stallInsert).Await(ctx)
			return err
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, stallInsert)
			return err
		},
	},
	"a write in a batch": {
		at: "INSERT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: stallInsert}}).Await(ctx)
			return err
		},
	},
	"a write in a function": {
		at: "INSERT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
				return c.ExecContext(ctx, stallInsert)
			}).Await(ctx)
			return err
		},
	},
	"BEGIN": {
		at: "START TRANSACTION",
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err == nil {
				tx.Rollback()
			}
			return err
		},
	},
	"a statement in a transaction": {
		at: "INSERT",
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, stallInsert).Await(ctx)
				return err
			})
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			defer tx.Rollback()
			_, err = tx.ExecContext(ctx, stallInsert)
			return err
		},
	},
	"COMMIT": {
		at: "COMMIT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, stallInsert).Await(ctx)
				return err
			})
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, stallInsert); err != nil {
				return err
			}
			return tx.Commit()
		},
	},
	"CommitAsync": {
		at: "COMMIT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			c, err := e.ConnectAsync(ctx).Await(ctx)
			if err != nil {
				return err
			}
			defer c.CloseAsync(ctx)
			tx, err := c.BeginAsync(ctx, nil).Await(ctx)
			if err != nil {
				return err
			}
			if _, err := c.ExecAsync(ctx, stallInsert).Await(ctx); err != nil {
				return err
			}
			_, err = tx.CommitAsync(ctx).Await(ctx)
			return err
		},
	},
	"a batch's COMMIT": {
		at: "COMMIT", write: true,
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: stallInsert}}, overlay.InTx(nil)).Await(ctx)
			return err
		},
	},
	"ROLLBACK": {
		at: "ROLLBACK",
		overlay: func(ctx context.Context, e *overlay.Engine) error {
			e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				if _, err := c.ExecAsync(ctx, stallInsert).Await(ctx); err != nil {
					return err
				}
				return errOwn
			})
			return ctx.Err()
		},
		plain: func(ctx context.Context, db *sql.DB) error {
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			tx.Rollback()
			return ctx.Err()
		},
	},
}

// stallAt stalls the network at the next request that contains text: before the server has
// it, or, if pass is true, after that.
func stallAt(p *proxy.Proxy, text string, pass bool) (stalled <-chan struct{}) {
	return p.At(text, func(*proxy.Conn) bool {
		p.Every((*proxy.Conn).Stall)
		return pass
	})
}

// testStall runs a call with a deadline on a network that stalls in it, before
// the server has its request or after that.
func testStall(t *testing.T, cfg *mysql.Config, p *proxy.Proxy, c stalledCall, answered bool, call func(context.Context) error) {
	t.Helper()
	if c.at == "" {
		p.Every((*proxy.Conn).Stall)
	} else {
		stallAt(p, c.at, answered)
	}
	const deadline = 500 * time.Millisecond
	err := within(t, deadline+soon, "the call", func() error { return call(brief(t, deadline)) })
	wantError(t, "the call", err, context.DeadlineExceeded)
	if !c.write {
		return
	}
	wantError(t, "the call", err, overlay.ErrOutcomeUnknown)
	if !answered {
		return
	}
	db := admin(t, cfg)
	until(t, soon, "the server has carried it out", func() bool { return count(t, db, "liveness_stall") == 1 })
}

func eachStall(t *testing.T, plain bool, test func(t *testing.T, c stalledCall, answered bool)) {
	for name, c := range stalledCalls {
		if plain && c.plain == nil {
			continue // only the overlay has it
		}
		for _, answered := range []bool{false, true} {
			lost := "its request is lost"
			if answered {
				lost = "its answer is lost"
			}
			if c.at == "" && answered {
				continue
			}
			t.Run(name+", "+lost, func(t *testing.T) { test(t, c, answered) })
		}
	}
}

func TestACallReturnsByItsDeadlineWhileTheNetworkStalls(t *testing.T) {
	eachStall(t, false, func(t *testing.T, c stalledCall, answered bool) {
		alone(t)
		cfg := mariaDB(t, "liveness_stall")
		p, through := proxy.Before(t, cfg)
		e := open(t, "mysql", through.FormatDSN(), overlay.WithLanes(1))
		works(t, e)
		testStall(t, cfg, p, c, answered, func(ctx context.Context) error { return c.overlay(ctx, e) })
		endsBy(t, e)
	})
}

func TestADatabaseSQLCallReturnsByItsDeadlineWhileTheNetworkStalls(t *testing.T) {
	eachStall(t, true, func(t *testing.T, c stalledCall, answered bool) {
		alone(t)
		cfg := mariaDB(t, "liveness_stall")
		p, through := proxy.Before(t, cfg)
		db := openAio(t, "mysql:"+through.FormatDSN())
		t.Cleanup(func() { closeDB(t, db) })
		noError(t, "Ping", db.PingContext(bounded(t)))
		testStall(t, cfg, p, c, answered, func(ctx context.Context) error { return c.plain(ctx, db) })
	})
}

// A cancel is as good as a deadline.
func TestCancelWhileTheNetworkStalls(t *testing.T) {
	alone(t)
	cfg := mariaDB(t, "liveness_stall")
	p, through := proxy.Before(t, cfg)
	e := open(t, "mysql", through.FormatDSN(), overlay.WithLanes(1))
	works(t, e)
	stalled := stallAt(p, "INSERT", true)
	f := e.ExecAsync(bounded(t), stallInsert)
	finishes(t, patience, "the network stalls", stalled)
	within(t, atOnce, "Cancel", func() error { f.Cancel(); return nil })
	_, err := outcome(t, soon, "the call", f)
	wantError(t, "the call", err, context.Canceled, overlay.ErrOutcomeUnknown)
	p.Heal()
	works(t, e)
}

// What is connecting is not yet of use to anybody, and cannot be cancelled at
// the server. n is how many answers the server gives before all is quiet: its
// greeting, the answer to the login, that to the first question.
func TestAFirstCallReturnsByItsDeadlineWhileConnectingStalls(t *testing.T) {
	for name, first := range map[string]func(context.Context, *overlay.Engine) error{
		"ExecAsync": func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.ExecAsync(ctx, stallInsert).Await(ctx)
			return err
		},
		"ConnectAsync": func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.ConnectAsync(ctx).Await(ctx)
			return err
		},
		"WithTx": func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
		},
		"WithConn": func(ctx context.Context, e *overlay.Engine) error {
			return e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
		},
		"RunInThread": func(ctx context.Context, e *overlay.Engine) error {
			_, err := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 1, nil }).Await(ctx)
			return err
		},
		"SyncDB": func(ctx context.Context, e *overlay.Engine) error { return e.SyncDB().PingContext(ctx) },
	} {
		for n := 1; n <= 3; n++ {
			t.Run(fmt.Sprintf("%s after %d answers", name, n), func(t *testing.T) {
				alone(t)
				cfg := mariaDB(t, "liveness_stall")
				cfg.MaxAllowedPacket = 0 // the driver asks for it once it has logged in
				p, through := proxy.Before(t, cfg)
				p.OnAnswer(func(nth int, answer []byte) []byte {
					if nth > n {
						return nil
					}
					return answer
				})
				e := open(t, "mysql", through.FormatDSN(), overlay.WithLanes(1))
				const deadline = 200 * time.Millisecond
				err := within(t, deadline+soon, name, func() error { return first(brief(t, deadline), e) })
				wantError(t, name, err, context.DeadlineExceeded)
				p.Heal()
				works(t, e)
			})
		}
	}
}
