package ledger_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A call is made again by itself only if the driver has promised that it did nothing:
// driver.ErrBadConn before any result.

// returning are the ways to insert with RETURNING, and to read the rows to their end.
func returning() map[string]func(to target, id int64) error {
	ways := map[string]func(to target, id int64) error{
		"QueryAsync and FetchAllAsync": func(to target, id int64) error {
			r, err := to.QueryAsync(background, insertReturning, id).Await(background)
			if err != nil {
				return err
			}
			return errOf(r.FetchAllAsync(background).Await(background))
		},
		"QueryContext": func(to target, id int64) error {
			rows, err := to.QueryContext(background, insertReturning, id)
			if err != nil {
				return err
			}
			return drain(rows)
		},
		"QueryRowContext": func(to target, id int64) error {
			return to.QueryRowContext(background, insertReturning, id).Scan(new(int64))
		},
		"RunInThread": func(to target, id int64) error {
			return errOf(overlay.RunInThread(background, to, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
				rows, err := c.QueryContext(ctx, insertReturning, id)
				if err != nil {
					return struct{}{}, err
				}
				return struct{}{}, drain(rows)
			}).Await(background))
		},
	}
	for _, s := range singles {
		if s.returning {
			ways[s.name] = func(to target, id int64) error { return s.exec(background, to, insertReturning, id) }
		}
	}
	return ways
}

func drain(rows *sql.Rows) error {
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// badAfter lets n rows come, and then the connection is dead.
func badAfter(b *bank, n int) {
	b.on("next", func(*bankConn) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if n--; n < 0 {
			return driver.ErrBadConn
		}
		return nil
	})
}

// An INSERT … RETURNING whose rows meet a dead connection has been carried out: it is made
// once, and its caller is not told that it was refused.
func TestRowsMeetADeadConnection(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, to := range targets {
			for name, write := range returning() {
				for n := range 4 {
					t.Run(fmt.Sprintf("%s %s after %d rows", to.name, name, n), func(t *testing.T) {
						db := again(t, db)
						e := db.open(t)
						badAfter(db.bank, n)
						id := db.l.next(name)
						err := within(t, name, func() error {
							return to.with(background, e, func(to target) error { return write(to, id) })
						})
						db.bank.on("next", nil)
						if n := db.bank.carriedOut(id); n != 1 {
							t.Errorf("carried out %d times (%v)", n, err)
						}
						if verbatim(name) && err != nil && strings.Contains(err.Error(), driver.ErrBadConn.Error()) {
							err = errUnknown // it says no more than that the connection is lost
						}
						db.l.told(id, err)
						db.later(t, e)
						db.check(t)
					})
				}
			}
		}
	})
}

// verbatim tells the ways that return what a method of database/sql's has returned: the
// driver's own error, or one that quotes it.
func verbatim(name string) bool {
	for _, part := range []string{"sql.", "SyncConn", "RunInThread", "RunCallable", "Context"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// So with the database/sql of package aio.
func TestRowsMeetADeadConnectionInThePool(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for n := range 4 {
			t.Run(fmt.Sprintf("after %d rows", n), func(t *testing.T) {
				db := again(t, db)
				pool, err := sql.Open("aio", db.driver+":"+db.dsn)
				noError(t, "open", err)
				defer pool.Close()
				badAfter(db.bank, n)
				id := db.l.next("sql.DB")
				db.l.told(id, errUnknown)
				err = within(t, "Query", func() error {
					rows, err := pool.Query(insertReturning, id)
					if err != nil {
						return err
					}
					return drain(rows)
				})
				if n := db.bank.carriedOut(id); n != 1 {
					t.Errorf("carried out %d times (%v)", n, err)
				}
				noError(t, "close", pool.Close())
				db.check(t)
			})
		}
	})
}

// stepOf is the step at which a way's first call reaches the driver.
func stepOf(name string) string {
	switch {
	case strings.Contains(name, "InTx"), strings.Contains(name, "Tx"), strings.Contains(name, "Begin"), strings.Contains(name, "Nested"):
		return "begin"
	case strings.Contains(name, "RETURNING"):
		return "query"
	case strings.Contains(name, "ExecMany"):
		return "prepare"
	}
	return "exec"
}

// retried tells the ways that choose their connection, and may choose another one.
func retried(name string) bool {
	return !strings.HasPrefix(name, "Conn") && !strings.HasPrefix(name, "SyncConn") && !strings.HasPrefix(name, "Begin") &&
		!strings.Contains(name, "RunInThread") && !strings.Contains(name, "RunCallable")
}

// A call that meets ErrBadConn before any result is made again, on another connection: as
// database/sql does it, WithTx, RetryTx and batches included. A Conn has no other one.
func TestDeadConnectionBeforeAnyResult(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, w := range ways() {
			if strings.Contains(w.name, "BEGIN") {
				continue
			}
			t.Run(w.name, func(t *testing.T) {
				db := again(t, db)
				e := db.open(t)
				db.later(t, e) // so that a connection is there to be stale
				db.bank.times(stepOf(w.name), 2, fails(driver.ErrBadConn))
				err := within(t, w.name, func() error { return w.write(background, e, db.l) })
				if err != nil && retried(w.name) {
					t.Errorf("%v; want it to be made again", err)
				}
				db.later(t, e)
				db.check(t)
				for id := range db.l.writes {
					if n := db.bank.carriedOut(id); n > 1 {
						t.Errorf("row %d was carried out %d times", id, n)
					}
				}
			})
		}
	})
}

// Where something has been done on the connection before, nothing is made again.
func TestDeadConnectionAfterAResult(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, step := range []string{"exec", "commit", "savepoint", "release", "rollback", "query"} {
			for _, w := range ways() {
				if strings.Contains(w.name, "BEGIN") {
					continue
				}
				t.Run(step+" "+w.name, func(t *testing.T) {
					db := again(t, db)
					e := db.open(t, overlay.WithLanes(1))
					calls := 0
					db.bank.on(step, func(*bankConn) error {
						db.bank.mu.Lock()
						defer db.bank.mu.Unlock()
						if calls++; calls != 2 {
							return nil
						}
						return driver.ErrBadConn
					})
					for range 2 {
						within(t, w.name, func() error { return w.write(background, e, db.l) })
					}
					db.bank.on(step, nil)
					db.later(t, e)
					for id, r := range db.l.writes {
						if n := db.bank.carriedOut(id); n > 1 {
							t.Errorf("row %d of %s was carried out %d times", id, r.what, n)
						}
					}
					db.check(t)
				})
			}
		}
	})
}

// Connections that the server has closed while they were idle cost no call and no write.
func TestConnectionsClosedByTheServer(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1)) // another lane could just be connecting
		admin := db.openBare(t)
		for _, w := range ways() {
			db.later(t, e)
			killOthers(t, admin)
			if err := within(t, w.name, func() error { return w.write(background, e, db.l) }); err != nil {
				t.Errorf("%s: %v", w.name, err)
			}
		}
		db.check(t)
	})
}

// A connection that the server closes in a transaction takes it along.
func TestConnectionClosedInATransaction(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *database) {
		onScopes(t, db, notBatch, true, nothing, []step{
			row, {query: "KILL CONNECTION_ID()"}, row,
		})
	})
}

// killOthers has the server close the database's other connections.
func killOthers(t *testing.T, admin *sql.DB) {
	t.Helper()
	ctx := bounded(t)
	until(t, "the server closes the connections", func() bool {
		rows, err := admin.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()")
		noError(t, "list connections", err)
		var ids []int64
		for rows.Next() {
			var id int64
			noError(t, "scan", rows.Scan(&id))
			ids = append(ids, id)
		}
		noError(t, "list connections", rows.Err())
		for _, id := range ids {
			admin.ExecContext(ctx, "KILL "+itoa(id)) // an error: it has gone by itself
		}
		return len(ids) == 0
	})
}
