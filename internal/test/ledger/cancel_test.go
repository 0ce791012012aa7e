package ledger_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// Await tells the truth: what it returns agrees with what is in the file, whenever the
// call's own context ends.

// short returns the i-th of n contexts, which end within 1.5 ms.
func short(i, n int) (context.Context, context.CancelFunc) {
	return context.WithTimeout(background, time.Duration(i)*1500*time.Microsecond/time.Duration(n))
}

func TestContextsThatEndWithinAMoment(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		for _, w := range ways() {
			t.Run(w.name, func(t *testing.T) {
				if db.memory && w.name == "sql.DB BeginTx" {
					t.Skip("database/sql drops the connection, and the database with it, bare as well")
				}
				db := again(t, db)
				e := db.open(t, db.lanes(2))
				n := 60
				if w.name == "Engine ExecAsync" {
					n = 400
				}
				noError(t, "all", within(t, "all", func() error {
					for i := range n {
						ctx, cancel := short(i, n)
						if err := w.write(ctx, e, db.l); n == 400 && beliefOf(err) == unknown {
							t.Errorf("%v, although nothing keeps the outcome from being known", err)
						}
						cancel()
					}
					return nil
				}))
				db.later(t, e)
				db.check(t)
			})
		}
	})
}

// Several at once, with a dispatcher that has each future's callback tell.
func TestContextsThatEndBesideOthers(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		loop := make(chan func(), 10000)
		var looping sync.WaitGroup
		looping.Add(1)
		go func() {
			defer looping.Done()
			for fn := range loop {
				fn()
			}
		}()
		e := db.open(t, db.lanes(2), overlay.WithDispatcher(func(fn func()) { loop <- fn }))
		var pending sync.WaitGroup
		for g := range 4 {
			pending.Add(1)
			go func() {
				defer pending.Done()
				for i := range 100 {
					ctx, cancel := short((i+g*25)%100, 100)
					id := db.l.next("OnDone")
					pending.Add(1)
					f := e.ExecAsync(ctx, insert, id)
					f.OnDone(func(_ sql.Result, err error) {
						db.l.told(id, err)
						pending.Done()
					})
					if i%3 == 0 {
						f.Cancel()
					}
					<-f.Done()
					cancel()
				}
			}()
		}
		noError(t, "all", within(t, "all", func() error { pending.Wait(); return nil }))
		db.check(t)
		close(loop)
		looping.Wait()
	})
}

// A call that is cancelled as it waits in the queue is not made.
func TestCancelInTheQueue(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		ctx, cancel := context.WithCancel(background)
		defer cancel()
		release := hold(t, e)
		var waits []func() error
		for i := range 100 {
			id := db.l.next("queued")
			var f *overlay.Future[sql.Result]
			if i%3 == 0 {
				f = e.ExecAsync(ctx, insert, id)
			} else {
				f = e.ExecAsync(background, insert, id)
				if i%3 == 1 {
					f.Cancel()
				}
			}
			waits = append(waits, func() error {
				_, err := outcome(t, "the call", f)
				db.l.told(id, err)
				if cancelled := i%3 != 2; cancelled != errors.Is(err, context.Canceled) {
					t.Errorf("call %d: %v", i, err)
				}
				return err
			})
		}
		cancel()
		release()
		for _, wait := range waits {
			wait()
		}
		db.check(t)
	})
}

// A write that is stopped as it runs is not there, and costs nobody else anything.
func TestCancelOfARunningWrite(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		for _, to := range targets {
			for _, s := range singles {
				query := db.sleepy()
				if s.returning {
					query += " RETURNING id"
				}
				ctx, cancel := context.WithTimeout(background, 30*time.Millisecond)
				id := db.l.next(s.name)
				err := within(t, s.name, func() error {
					return to.with(background, e, func(to target) error { return s.exec(ctx, to, query, id) })
				})
				cancel()
				if db.l.told(id, err) == nil || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s %s: %v", to.name, s.name, err)
				}
				db.later(t, e)
			}
		}
		db.check(t)
	})
}

// A batch that is stopped tells of each statement what became of it.
func TestCancelOfARunningBatch(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t, overlay.WithLanes(1))
		for _, to := range targets {
			for _, o := range batchOptions {
				g := db.l.begin(to.name + " Batch" + o.name)
				ids := []int64{g.next(), g.next(), g.next(), g.next()}
				ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
				var results []overlay.BatchResult
				err := within(t, g.what, func() error {
					return to.with(background, e, func(to target) (err error) {
						results, err = to.BatchAsync(ctx, []overlay.Statement{
							{Query: insert, Args: []any{ids[0]}}, {Query: insert, Args: []any{ids[1]}},
							{Query: db.sleepy(), Args: []any{ids[2]}}, {Query: insert, Args: []any{ids[3]}},
						}, o.opts...).Await(ctx)
						return err
					})
				})
				cancel()
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", g.what, err)
				}
				tellBatch(g, ids, o.inTx, o.keepGoing, results, err)
				db.later(t, e)
			}
		}
		db.check(t)
	})
}

// A context that ends at any stage of a transaction: what was answered is acknowledged, a
// COMMIT that was made is never called refused.
func TestContextEndsAtAStage(t *testing.T) {
	onBank(t, func(t *testing.T, db *database) {
		for _, step := range []string{"connect", "begin", "prepare", "exec", "executed", "query", "next", "savepoint", "release", "commit", "committed", "rollback"} {
			for _, w := range ways() {
				if strings.Contains(w.name, "BEGIN") {
					continue
				}
				t.Run(step+" "+w.name, func(t *testing.T) {
					db := again(t, db)
					e := db.open(t)
					ctx, cancel := context.WithCancel(background)
					defer cancel()
					db.bank.on(step, func(*bankConn) error {
						cancel()
						time.Sleep(time.Millisecond) // those who watch the context act meanwhile
						return nil
					})
					within(t, w.name, func() error { return w.write(ctx, e, db.l) })
					db.bank.on(step, nil)
					db.later(t, e)
					db.check(t)
				})
			}
		}
	})
}

// WithTx whose context has ended does not commit, whatever its function returns; one whose
// context ends during the COMMIT tells what became of it.
func TestWithTxAndItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, db *database) {
		e := db.open(t)
		for i := range 100 {
			g := db.l.begin("WithTx")
			ctx, cancel := short(i, 100)
			g.ended(within(t, "WithTx", func() error {
				return e.WithTx(ctx, nil, func(_ context.Context, c *overlay.Conn) error {
					if err := g.row(background, c); err != nil {
						return err
					}
					if i%4 == 0 {
						cancel()
					}
					return nil
				})
			}))
			cancel()
		}
		db.later(t, e)
		db.check(t)
	})
}
