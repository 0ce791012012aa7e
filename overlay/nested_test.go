package overlay_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestNestedRollbackKeepsTheOuter(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			must(t, c.ExecAsync(ctx, insertPerson, "kept"))
			err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecAsync(ctx, insertPerson, "dropped"))
				return errOwn
			})
			if err != errOwn {
				t.Errorf("WithNested returned %v, want fn's own error", err)
			}
			if !c.InTransaction() {
				t.Error("InTransaction is false after the nested rollback")
			}
			return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, insertPerson, "kept too").Await(ctx)
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		db.wantPeople(t, 2)
		if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM people WHERE name = 'dropped'")); n != 0 {
			t.Error("what was rolled back is there")
		}
	})
}

func TestNestedWithoutATransactionBeginsOne(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		tx := must(t, c.BeginNestedAsync(db.ctx))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		must(t, tx.RollbackAsync(db.ctx))
		if n := count(t, db, c); n != 0 || c.InTransaction() {
			t.Errorf("%d people, in a transaction: %v", n, c.InTransaction())
		}
		tx = must(t, c.BeginNestedAsync(db.ctx))
		must(t, c.ExecAsync(db.ctx, insertPerson, "Ann"))
		must(t, tx.CommitAsync(db.ctx))
		db.close(t, c)
		db.wantPeople(t, 1)
	})
}

// At each depth a row is inserted; rolling back to a depth keeps what lies around it.
func TestNestedToAnyDepth(t *testing.T) {
	const depth = 30
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		defer db.close(t, c)
		txs := []*overlay.Tx{must(t, c.BeginAsync(db.ctx, nil))}
		for i := range depth {
			txs = append(txs, must(t, c.BeginNestedAsync(db.ctx)))
			must(t, c.ExecAsync(db.ctx, insertPerson, fmt.Sprint(i)))
		}
		must(t, txs[depth].CommitAsync(db.ctx)) // into the one around it
		must(t, txs[20].RollbackAsync(db.ctx))  // ends those in it
		if n := count(t, db, c); n != 19 {
			t.Errorf("%d people after the rollback, want 19", n)
		}
		wantError(t, failure(t, txs[25].CommitAsync(db.ctx)), sql.ErrTxDone)
		must(t, txs[10].CommitAsync(db.ctx))
		must(t, txs[0].CommitAsync(db.ctx))
		if n := count(t, db, c); n != 19 {
			t.Errorf("%d people after the commit, want 19", n)
		}
		for i, tx := range txs[1:] {
			if err := failure(t, tx.RollbackAsync(db.ctx)); err != sql.ErrTxDone {
				t.Errorf("savepoint %d: %v, want sql.ErrTxDone", i+1, err)
			}
		}
	})
}

// A stream does not keep savepoints of SQLite from being made and ended.
func TestNestedBesideAStream(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			for _, end := range []func(*overlay.Tx) *overlay.Future[struct{}]{
				func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.CommitAsync(ctx) },
				func(tx *overlay.Tx) *overlay.Future[struct{}] { return tx.RollbackAsync(ctx) },
			} {
				outside := must(t, c.StreamAsync(ctx, peoplesIDs))
				tx := must(t, c.BeginNestedAsync(ctx))
				inside := must(t, c.StreamAsync(ctx, peoplesIDs))
				must(t, end(tx))
				for _, r := range []*overlay.Result{outside, inside} {
					if n := len(must(t, r.FetchAllAsync(ctx))); n != 1000 {
						t.Errorf("%d rows, want 1000", n)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// A statement that fails beside a stream leaves the transaction as it is.
func TestErrorBesideAStream(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			r := must(t, c.StreamAsync(ctx, peoplesIDs))
			failure(t, c.ExecAsync(ctx, "INSERT INTO people (id, name) VALUES (1, 'twice')"))
			if !c.InTransaction() {
				t.Error("InTransaction is false after an error")
			}
			if n := len(must(t, r.FetchAllAsync(ctx))); n != 1000 {
				t.Errorf("%d rows, want 1000", n)
			}
			_, err := c.ExecAsync(ctx, insertPerson, "Ann").Await(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		db.wantPeople(t, 1001)
	})
}

// The end of a transaction is that of its streams.
func TestStreamOfATransactionThatEnds(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		c := db.connect(t)
		defer db.close(t, c)
		tx := must(t, c.BeginAsync(db.ctx, nil))
		r := must(t, c.StreamAsync(db.ctx, peoplesIDs))
		must(t, tx.CommitAsync(db.ctx))
		wantError(t, failure(t, r.FetchManyAsync(db.ctx, 1000)), overlay.ErrClosed)
	})
}

// A stream left open in a savepoint ends with it, or does not hinder its end.
func TestStreamLeftOpenInASavepoint(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		for _, returned := range []error{nil, errOwn} {
			err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecAsync(ctx, insertPerson, "outer"))
				var stream *overlay.Result
				err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					must(t, c.ExecAsync(ctx, insertPerson, "inner"))
					stream = must(t, c.StreamAsync(ctx, "SELECT a.id FROM people a, people b"))
					must(t, stream.FetchOneAsync(ctx))
					return returned
				})
				must(t, stream.CloseAsync(ctx))
				if err != returned {
					t.Errorf("WithNested: %v, want %v", err, returned)
				}
				return nil
			})
			noError(t, err)
		}
		const query = "SELECT count(CASE WHEN name = 'outer' THEN 1 END) * 10 + count(CASE WHEN name = 'inner' THEN 1 END) FROM people"
		if n := must(t, overlay.Scalar[int](db.ctx, db.e, query)); n != 21 {
			t.Errorf("%d rows of the transaction, %d of the savepoint, want 2 and 1", n/10, n%10)
		}
	})
}

// Savepoints of two goroutines that overlap are refused: nobody is told that what is kept was
// not, or that what is not kept was.
func TestOverlappingSavepoints(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		var first, second error
		err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			began, begunInside, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				first = c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					must(t, c.ExecAsync(ctx, insertPerson, "first"))
					close(began)
					<-begunInside
					return nil
				})
			}()
			<-began
			second = c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, insertPerson, "second").Await(ctx)
				close(begunInside)
				<-done
				return err
			})
			return nil
		})
		for name, told := range map[string]error{"first": first, "second": second} {
			n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM people WHERE name = '"+name+"'"))
			if made := err == nil && told == nil; made != (n == 1) {
				t.Errorf("%s: WithNested %v, WithTx %v, %d rows", name, told, err, n)
			}
		}
	})
}

// A streamed write that fails in a savepoint is told and undone there: what is around it is not
// refused for it.
func TestStreamedWriteThatFailsInASavepoint(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		for i, returned := range []error{nil, errOwn} {
			err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				must(t, c.ExecAsync(ctx, insertPerson, "Ann"))
				err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
					r := must(t, c.StreamAsync(ctx, "INSERT INTO people SELECT IF(seq = 20000, 1001, seq + 1000), 'x' FROM seq_1_to_20000 RETURNING id"))
					must(t, r.FetchOneAsync(ctx))
					return returned
				})
				if err == nil {
					t.Error("WithNested has kept a write that has failed")
				}
				return nil
			})
			noError(t, err)
			db.wantPeople(t, i+1)
		}
	})
}
