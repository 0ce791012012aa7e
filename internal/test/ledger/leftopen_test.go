package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A leaver is a call that ends with a transaction open, and a row in it.
type leaver struct {
	name string
	kind leaverKind
	// leave returns the call's error.
	leave func(ctx context.Context, db *database, to target, id int64) error
}

type leaverKind uint8

const (
	anyTarget  leaverKind = iota
	engineOnly            // on a Conn a BEGIN of the application's is its own affair
)

// inThread calls a function on the thread that leaves open what it has begun.
func inThread(fn func(ctx context.Context, c *sql.Conn, db *database, id int64) error, with ...func(context.Context) context.Context) func(ctx context.Context, db *database, to target, id int64) error {
	return func(ctx context.Context, db *database, to target, id int64) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for _, w := range with {
			ctx = w(ctx)
		}
		return errOf(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
			return struct{}{}, fn(ctx, c, db, id)
		}).Await(background))
	}
}

// soon ends a context after the time that a call needs to begin.
func soon(ctx context.Context) context.Context {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	context.AfterFunc(ctx, cancel)
	return ctx
}

func textLeft(ctx context.Context, exec execFunc, id int64) error {
	if err := exec(ctx, "BEGIN"); err != nil {
		return err
	}
	return exec(ctx, insert, id)
}

func txLeft(ctx context.Context, c *sql.Conn, id int64) error {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	forgotten.add(tx)
	return errOf(tx.ExecContext(ctx, insert, id))
}

func leavers() (all []leaver) {
	for _, begin := range []struct {
		name string
		kind leaverKind
		left func(ctx context.Context, c *sql.Conn, id int64) error
	}{
		{"RunInThread BeginTx", anyTarget, txLeft},
		{"RunInThread BEGIN", engineOnly, func(ctx context.Context, c *sql.Conn, id int64) error { return textLeft(ctx, sqlExec(c), id) }},
	} {
		for _, end := range []struct {
			name string
			then func() error
		}{
			{"", func() error { return nil }},
			{", an error", func() error { return errOnFall }},
			{", a panic", func() error { panic("the application's own panic") }},
			{", Goexit", func() error { runtime.Goexit(); return nil }},
		} {
			kind := begin.kind
			if end.name == ", Goexit" {
				kind = engineOnly
			}
			all = append(all, leaver{begin.name + end.name, kind, inThread(func(_ context.Context, c *sql.Conn, _ *database, id int64) error {
				if err := begin.left(background, c, id); err != nil {
					return err
				}
				return end.then()
			})})
		}
		all = append(all, leaver{begin.name + ", cancelled", begin.kind, inThread(func(ctx context.Context, c *sql.Conn, db *database, id int64) error {
			begin.left(background, c, id)
			return errOf(c.ExecContext(ctx, db.sleepy(), id))
		}, soon)})
	}
	all = append(all, []leaver{
		{"RunInThread BeginTx with its context", anyTarget, inThread(func(ctx context.Context, c *sql.Conn, _ *database, id int64) error {
			return txLeft(ctx, c, id)
		})},
		{"RunInThread BeginTx of a context that ends", anyTarget, inThread(func(ctx context.Context, c *sql.Conn, _ *database, id int64) error {
			short, cancel := context.WithCancel(ctx)
			defer cancel()
			txLeft(short, c, id)
			return errOnFall
		})},
		{"RunInThread BeginTx and a statement", anyTarget, inThread(func(ctx context.Context, c *sql.Conn, _ *database, id int64) error {
			tx, err := c.BeginTx(background, nil)
			if err != nil {
				return err
			}
			forgotten.add(tx)
			s, err := tx.PrepareContext(background, insert)
			if err != nil {
				return err
			}
			return errOf(s.Exec(id))
		})},
		{"RunInThread BEGIN by a query", engineOnly, inThread(func(ctx context.Context, c *sql.Conn, _ *database, id int64) error {
			rows, err := c.QueryContext(background, "BEGIN")
			if err != nil {
				return err
			}
			rows.Close()
			return errOf(c.ExecContext(background, insert, id))
		})},
		{"RunCallable BEGIN", engineOnly, func(ctx context.Context, _ *database, to target, id int64) error {
			return to.RunCallable(ctx, func(c *sql.Conn) error { return textLeft(ctx, sqlExec(c), id) })
		}},
		{"a script that fails before its COMMIT", engineOnly, func(ctx context.Context, db *database, to target, id int64) error {
			script := "BEGIN; INSERT INTO ledger (id) VALUES (" + itoa(id) + "); INSERT INTO nowhere VALUES (1); COMMIT"
			return errOf(to.ExecAsync(ctx, script).Await(ctx))
		}},
		{"a script without COMMIT", engineOnly, func(ctx context.Context, db *database, to target, id int64) error {
			return errOf(to.ExecAsync(ctx, "BEGIN; INSERT INTO ledger (id) VALUES ("+itoa(id)+")").Await(ctx))
		}},
		{"ExecManyAsync BEGIN", engineOnly, func(ctx context.Context, _ *database, to target, _ int64) error {
			return errOf(to.ExecManyAsync(ctx, "BEGIN", [][]any{{}}).Await(ctx))
		}},
	}...)
	for _, s := range singles {
		all = append(all, leaver{s.name + ": BEGIN", engineOnly, func(ctx context.Context, _ *database, to target, _ int64) error {
			return s.exec(ctx, to, "BEGIN")
		}})
	}
	for _, o := range batchOptions {
		if o.inTx {
			continue // BEGIN in a transaction: ended_test.go
		}
		all = append(all,
			leaver{"Batch" + o.name + " without COMMIT", engineOnly, func(ctx context.Context, _ *database, to target, id int64) error {
				return errOf(to.BatchAsync(ctx, []overlay.Statement{{Query: "BEGIN"}, {Query: insert, Args: []any{id}}}, o.opts...).Await(ctx))
			}},
			leaver{"Batch" + o.name + " that fails before its COMMIT", engineOnly, func(ctx context.Context, _ *database, to target, id int64) error {
				statements := []overlay.Statement{{Query: "BEGIN"}, {Query: insert, Args: []any{id}}, {Query: "INSERT INTO nowhere VALUES (1)"}}
				if !o.keepGoing {
					statements = append(statements, overlay.Statement{Query: "COMMIT"})
				}
				return errOf(to.BatchAsync(ctx, statements, o.opts...).Await(ctx))
			}},
		)
	}
	return all
}

// What a call leaves open is rolled back before anybody else's call, and the call is told.
func TestTransactionLeftOpenOnAnEngine(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, l := range leavers() {
			t.Run(l.name, func(t *testing.T) {
				if db.memory && strings.Contains(l.name, "Goexit") {
					t.Skip("the connection goes with its thread, and the database with it")
				}
				db := again(t, db)
				e := db.open(t, overlay.WithLanes(1))
				id := db.l.next(l.name)
				err := within(t, l.name, func() error { return l.leave(background, db, e, id) })
				if err == nil {
					t.Error("the call that left a transaction open is not told")
				}
				db.l.told(id, err)
				db.later(t, e)
				db.check(t)
			})
		}
	})
}

// On a Conn the transaction of a sql.Tx that a function leaves is nobody's: it is rolled
// back, and the function is told. What was there before stays.
func TestTransactionLeftOpenOnAConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, l := range leavers() {
			if l.kind != anyTarget {
				continue
			}
			t.Run(l.name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t)
				c := must(t, "connect", e.ConnectAsync(background))
				id := db.l.next(l.name)
				err := within(t, l.name, func() error { return l.leave(background, db, c, id) })
				if err == nil {
					t.Error("the call that left a transaction open is not told")
				}
				db.l.told(id, err)
				// The Conn may have lost its connection, but must not lose writes.
				for range 3 {
					id := db.l.next("a later call on the Conn")
					_, err := outcome(t, "insert", c.ExecAsync(background, insert, id))
					db.l.told(id, err)
				}
				must(t, "close", c.CloseAsync(background))
				db.later(t, e)
				db.check(t)
			})
		}
	})
}

// A BEGIN on a Conn is its owner's: InTransaction says so, the calls that follow are part
// of it, and closing rolls it back.
func TestBeginAsTextOnAConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, l := range leavers() {
			if l.kind != engineOnly {
				continue
			}
			for _, end := range []string{"COMMIT", "ROLLBACK", "close"} {
				t.Run(l.name+", then "+end, func(t *testing.T) {
					db := again(t, db)
					if strings.Contains(l.name, "Goexit") {
						t.Skip("the connection goes with its thread")
					}
					e := db.open(t)
					c := must(t, "connect", e.ConnectAsync(background))
					g := db.l.begin(l.name)
					left := g.next()
					err := within(t, l.name, func() error { return l.leave(background, db, c, left) })
					_ = err // of what wrote the row nothing is known but what comes of the transaction
					if c.InTransaction() {
						id := g.next()
						_, err := outcome(t, "insert", c.ExecAsync(background, insert, id))
						g.told(id, err)
						g.ended(errOnFall)
						if end != "close" {
							_, err := outcome(t, end, c.ExecAsync(background, end))
							if end == "COMMIT" {
								g.ended(err)
								g.told(left, errUnknown)
							}
						}
					} else {
						id := db.l.next("a later call on the Conn")
						_, err := outcome(t, "insert", c.ExecAsync(background, insert, id))
						db.l.told(id, err)
					}
					must(t, "close", c.CloseAsync(background))
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// The pool of database/sql gets no connection back with a transaction open.
func TestTransactionLeftOpenInThePool(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		if db.memory {
			t.Skip("a database in memory goes with its connection, bare as well")
		}
		for name, leave := range map[string]func(pool *sql.DB, id int64) error{
			"DB Exec BEGIN": func(pool *sql.DB, _ int64) error { return errOf(pool.Exec("BEGIN")) },
			"Conn BEGIN": func(pool *sql.DB, id int64) error {
				c, err := pool.Conn(background)
				if err != nil {
					return err
				}
				defer c.Close()
				return textLeft(background, sqlExec(c), id)
			},
			"Conn BEGIN, a failing script": func(pool *sql.DB, id int64) error {
				c, err := pool.Conn(background)
				if err != nil {
					return err
				}
				defer c.Close()
				return errOf(c.ExecContext(background, "BEGIN; INSERT INTO ledger (id) VALUES ("+itoa(id)+"); INSERT INTO nowhere VALUES (1); COMMIT"))
			},
			"Conn BeginTx": func(pool *sql.DB, id int64) error {
				c, err := pool.Conn(background)
				if err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(background)
				defer cancel()
				err = txLeft(ctx, c, id)
				cancel()
				c.Close()
				return err
			},
			"Stmt BEGIN": func(pool *sql.DB, _ int64) error {
				s, err := pool.Prepare("BEGIN")
				if err != nil {
					return nil // MariaDB prepares no BEGIN
				}
				defer s.Close()
				return errOf(s.Exec())
			},
		} {
			t.Run(name, func(t *testing.T) {
				db := again(t, db)
				pool, err := sql.Open("aio", db.driver+":"+db.dsn)
				noError(t, "open", err)
				defer pool.Close()
				pool.SetMaxOpenConns(1)
				id := db.l.next(name) // in a transaction that nobody commits
				within(t, name, func() error { return leave(pool, id) })
				for range 3 {
					id := db.l.next("a later caller")
					err := within(t, "insert", func() error { return errOf(pool.ExecContext(bounded(t), insert, id)) })
					db.l.told(id, err)
				}
				noError(t, "close", pool.Close())
				db.check(t)
			})
		}
	})
}

// MySQL's autocommit, switched off by a call, is no way to lose what others write.
func TestAutocommitSwitchedOff(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		must(t, "SET", e.ExecAsync(background, "SET autocommit = 0"))
		for range 5 {
			id := db.l.next("a later caller")
			_, err := outcome(t, "insert", e.ExecAsync(background, insert, id))
			db.l.told(id, err)
		}
		db.check(t)
	})
}

// A Conn that is closed in a transaction takes it along, however it was begun, and
// WithConn says so.
func TestConnClosedInATransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		for name, begin := range map[string]func(c *overlay.Conn) error{
			"BeginAsync": func(c *overlay.Conn) error { return errOf(c.BeginAsync(background, nil).Await(background)) },
			"BEGIN":      func(c *overlay.Conn) error { return errOf(c.ExecAsync(background, "BEGIN").Await(background)) },
			"SyncConn": func(c *overlay.Conn) error {
				tx, err := c.SyncConn().BeginTx(background, nil)
				if err == nil {
					forgotten.add(tx)
				}
				return err
			},
		} {
			for range 3 {
				g := db.l.begin(name)
				err := within(t, name, func() error {
					return e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
						if err := begin(c); err != nil {
							return err
						}
						id := g.next()
						g.told(id, errOf(c.ExecAsync(ctx, insert, id).Await(ctx)))
						return nil
					})
				})
				if !errors.Is(err, overlay.ErrTxLeftOpen) {
					t.Errorf("%s: %v, want ErrTxLeftOpen", name, err)
				}
				g.ended(errOnFall)
				db.later(t, e)
			}
		}
		db.check(t)
	})
}

// An engine on :memory: keeps its database when a transaction in it times out.
func TestMemoryOutlivesATransactionThatTimesOut(t *testing.T) {
	for _, l := range leavers() {
		if strings.Contains(l.name, "Goexit") {
			continue // the connection goes with its thread
		}
		t.Run(l.name, func(t *testing.T) {
			db := sqliteMemory()
			e := db.open(t)
			db.later(t, e)
			for range 3 {
				within(t, l.name, func() error { return l.leave(soon(background), db, e, db.l.next(l.name)) })
				db.later(t, e)
			}
			db.check(t)
		})
	}
}
