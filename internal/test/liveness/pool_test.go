package liveness_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

const staleTable = "liveness_stale"

// staleCalls are calls that may be the first on a connection which the server
// has closed while it was idle.
var staleCalls = map[string]func(ctx context.Context, e *overlay.Engine) error{
	"ScalarAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ScalarAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"a query with arguments": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.QueryAsync(ctx, "SELECT ?", 1).Await(ctx)
		return err
	},
	"ExecAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecAsync(ctx, "INSERT INTO "+staleTable+" (id) VALUES (?)", 1).Await(ctx)
		return err
	},
	"BatchAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.BatchAsync(ctx, []overlay.Statement{{Query: "INSERT INTO " + staleTable + " (id) VALUES (1)"}}, overlay.InTx(nil)).Await(ctx)
		return err
	},
	"ExecManyAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.ExecManyAsync(ctx, "INSERT INTO "+staleTable+" (id) VALUES (?)", [][]any{{1}}).Await(ctx)
		return err
	},
	"RunInThread": func(ctx context.Context, e *overlay.Engine) error {
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, "INSERT INTO "+staleTable+" (id) VALUES (1)")
		}).Await(ctx)
		return err
	},
	"WithTx": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO "+staleTable+" (id) VALUES (1)").Await(ctx)
			return err
		})
	},
	"WithConn": func(ctx context.Context, e *overlay.Engine) error {
		return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO "+staleTable+" (id) VALUES (1)").Await(ctx)
			return err
		})
	},
	"HasTableAsync": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.HasTableAsync(ctx, staleTable).Await(ctx)
		return err
	},
	"SyncDB": func(ctx context.Context, e *overlay.Engine) error {
		_, err := e.SyncDB().ExecContext(ctx, "INSERT INTO "+staleTable+" (id) VALUES (1)")
		return err
	},
}

// mine are the server's connections of an engine whose sessions are marked.
const mine = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND command = 'Sleep' AND id IN (SELECT id FROM liveness_sessions)"

// killIdle waits until want connections in the table of sessions are idle, has
// the server close them, and waits until they are gone.
func killIdle(t *testing.T, db *sql.DB, want int) {
	t.Helper()
	ids := func() (all []int64) {
		rows, err := db.QueryContext(bounded(t), mine)
		noError(t, "read the process list", err)
		defer rows.Close()
		for rows.Next() {
			var id int64
			noError(t, "read the process list", rows.Scan(&id))
			all = append(all, id)
		}
		noError(t, "read the process list", rows.Err())
		return all
	}
	until(t, patience, "the server's connections are idle", func() bool { return len(ids()) >= want })
	until(t, patience, "the server's connections are gone", func() bool {
		all := ids()
		for _, id := range all { // again and again: one that is about to fall asleep may miss it
			db.ExecContext(bounded(t), fmt.Sprintf("KILL %d", id))
		}
		return len(all) == 0
	})
}

// register writes the session of a call down for killIdle.
const register = "INSERT INTO liveness_sessions (id) VALUES (CONNECTION_ID())"

func TestAConnectionThatTheServerClosedIsNoticedBeforeTheCall(t *testing.T) {
	for name, call := range staleCalls {
		t.Run(name, func(t *testing.T) {
			alone(t)
			cfg := mariaDB(t, staleTable)
			mariaDB(t, "liveness_sessions")
			e := open(t, "mysql", cfg.FormatDSN(), overlay.WithLanes(1))
			db := admin(t, cfg)
			failed := 0
			for range 20 {
				value(t, "register", e.ExecAsync(bounded(t), register))
				killIdle(t, db, 1)
				if err := within(t, soon, name, func() error { return call(bounded(t), e) }); err != nil {
					failed++
					t.Log(err)
				}
			}
			if failed > 0 {
				t.Errorf("%d of 20 calls failed", failed)
			}
		})
	}
}

// Several stale connections are in the pool: the next one is tried, too.
func TestWithTxPassesOverAllStaleConnections(t *testing.T) {
	alone(t)
	cfg := mariaDB(t, staleTable)
	mariaDB(t, "liveness_sessions")
	e := open(t, "mysql", cfg.FormatDSN(), overlay.WithLanes(1))
	e.SyncDB().SetMaxIdleConns(5)
	db := admin(t, cfg)
	for range 5 {
		var conns []*overlay.Conn
		for range 5 {
			c := connect(t, e)
			value(t, "register", c.ExecAsync(bounded(t), register))
			conns = append(conns, c)
		}
		for _, c := range conns {
			value(t, "CloseAsync", c.CloseAsync(bounded(t)))
		}
		killIdle(t, db, 5)
		noError(t, "WithTx", within(t, soon, "WithTx", func() error { return staleCalls["WithTx"](bounded(t), e) }))
	}
}

// The same when the server gives up waiting by itself.
func TestCallsAfterTheServersWaitTimeout(t *testing.T) {
	alone(t)
	cfg := mariaDB(t, staleTable)
	mariaDB(t, "liveness_sessions")
	through := cfg.Clone()
	through.Params = map[string]string{"wait_timeout": "1"}
	e := open(t, "mysql", through.FormatDSN(), overlay.WithLanes(1))
	db := admin(t, cfg)
	for name, call := range staleCalls {
		value(t, "register", e.ExecAsync(bounded(t), register))
		until(t, patience, "the server closes the connection", func() bool {
			var n int
			noError(t, "read the process list", db.QueryRowContext(bounded(t), "SELECT count(*) FROM ("+mine+") x").Scan(&n))
			return n == 0
		})
		if err := within(t, soon, name, func() error { return call(bounded(t), e) }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// traffic is what a pool's lifetimes have to hold under.
var traffic = map[string]func(t *testing.T, e *overlay.Engine) (stop func()){
	"a crowd": busy,
	"one caller": func(t *testing.T, e *overlay.Engine) func() {
		ctx, cancel := context.WithCancel(bounded(t))
		wait := start(func() (int, error) {
			for ctx.Err() == nil {
				if _, err := e.ExecAsync(ctx, "affected 1").Await(ctx); err != nil && ctx.Err() == nil {
					return 0, err
				}
			}
			return 1, nil
		})
		return func() {
			cancel()
			if _, err := wait(t, soon, "the caller"); err != nil {
				t.Errorf("the caller: %v", err)
			}
		}
	},
}

func TestConnMaxLifetimeAppliesUnderSteadyTraffic(t *testing.T) {
	for name, begin := range traffic {
		t.Run(name, func(t *testing.T) {
			alone(t)
			db := openAio(t, "sqlite3:"+newFile(t))
			opened := new(atomic.Int64)
			if name == "one caller" {
				db.Close()
				d := drivertest.New(drivertest.Modern)
				d.On("Connector.Connect", func(drivertest.Call) error { opened.Add(1); return nil })
				db = aio.OpenDB(d.Connector("test"))
			}
			db.SetConnMaxLifetime(300 * time.Millisecond)
			db.SetMaxOpenConns(1)
			e := overDB(t, db, overlay.WithLanes(1))
			stop := begin(t, e)
			// Once a second, says the promise; three of them, and room.
			until(t, 10*time.Second, "three connections have lived long enough", func() bool { return db.Stats().MaxLifetimeClosed >= 3 })
			stop()
			if name == "one caller" && opened.Load() < 3 {
				t.Errorf("%d connections were opened", opened.Load())
			}
		})
	}
}

func TestMaxOpenConnsHolds(t *testing.T) {
	const most = 3
	alone(t)
	d := drivertest.New(drivertest.Modern)
	t.Cleanup(func() { checkDriver(t, d) })
	var peak atomic.Int64
	d.On("Connector.Connect", func(drivertest.Call) error {
		for {
			n, p := int64(d.OpenConns()), peak.Load()
			if n <= p || peak.CompareAndSwap(p, n) {
				return nil
			}
		}
	})
	db := aio.OpenDB(d.Connector("test"))
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(1)
	e := overDB(t, db, overlay.WithLanes(8))
	ctx := bounded(t)
	var waits []func(testing.TB, time.Duration, string) (int, error)
	for i := range 24 {
		waits = append(waits, start(func() (int, error) {
			for range 20 {
				var err error
				switch i % 4 {
				case 0:
					_, err = e.ExecAsync(ctx, "affected 1").Await(ctx)
				case 1:
					err = e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
						_, err := c.ExecAsync(ctx, "affected 1").Await(ctx)
						return err
					})
				case 2:
					_, err = e.SyncDB().ExecContext(ctx, "affected 1")
				case 3:
					err = e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
				}
				if err != nil {
					return 0, err
				}
				if n := db.Stats().OpenConnections; n > most {
					return 0, fmt.Errorf("%d connections are open", n)
				}
			}
			return 1, nil
		}))
	}
	for _, wait := range waits {
		_, err := wait(t, patience, "the callers")
		noError(t, "a caller", err)
	}
	// The one that is being opened counts as open already.
	if n := peak.Load(); n >= most+1 {
		t.Errorf("%d connections were open at once, not %d", n, most)
	}
}

// SetMaxOpenConns after the lanes are open holds as well, as soon as they have
// given their connections back.
func TestMaxOpenConnsThatIsLoweredHolds(t *testing.T) {
	alone(t)
	db := openAio(t, "sqlite3:"+newFile(t)+"?_journal_mode=WAL&_busy_timeout=10000")
	e := overDB(t, db, overlay.WithLanes(4))
	stop := busy(t, e)
	db.SetMaxOpenConns(1)
	until(t, 10*time.Second, "one connection is left", func() bool { return db.Stats().OpenConnections <= 1 })
	stop()
	works(t, e)
}
