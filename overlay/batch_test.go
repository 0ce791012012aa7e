package overlay_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// A batcher executes inserts of people with these ids, by either of the methods.
type batcher func(opts []overlay.BatchOption, ids ...any) *overlay.Future[[]overlay.BatchResult]

const insertByID = "INSERT INTO people (id, name) VALUES (?, 'x')"

type batching interface {
	overlay.Target
	BatchAsync(ctx context.Context, statements []overlay.Statement, opts ...overlay.BatchOption) *overlay.Future[[]overlay.BatchResult]
	ExecManyAsync(ctx context.Context, query string, argSets [][]any, opts ...overlay.BatchOption) *overlay.Future[[]overlay.BatchResult]
}

// batchers are BatchAsync and ExecManyAsync of the target.
func batchers(db *testDB, to batching) map[string]batcher {
	return map[string]batcher{
		"BatchAsync": func(opts []overlay.BatchOption, ids ...any) *overlay.Future[[]overlay.BatchResult] {
			var statements []overlay.Statement
			for _, id := range ids {
				statements = append(statements, overlay.Statement{Query: insertByID, Args: []any{id}})
			}
			return to.BatchAsync(db.ctx, statements, opts...)
		},
		"ExecManyAsync": func(opts []overlay.BatchOption, ids ...any) *overlay.Future[[]overlay.BatchResult] {
			var sets [][]any
			for _, id := range ids {
				sets = append(sets, []any{id})
			}
			return to.ExecManyAsync(db.ctx, insertByID, sets, opts...)
		},
	}
}

// onBatchers runs a test with each method of an Engine and of a Conn, on a table
// of people that is empty.
func onBatchers(t *testing.T, fn func(t *testing.T, db *testDB, to batching, run batcher)) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		each := func(t *testing.T, to batching) {
			for name, run := range batchers(db, to) {
				t.Run(name, func(t *testing.T) {
					must(t, to.BatchAsync(db.ctx, []overlay.Statement{{Query: "DELETE FROM people"}}))
					fn(t, db, to, run)
				})
			}
		}
		t.Run("Engine", func(t *testing.T) { each(t, db.e) })
		t.Run("Conn", func(t *testing.T) {
			c := db.connect(t)
			defer db.close(t, c)
			each(t, c)
		})
	})
}

// wantIDs fails unless these people are there.
func wantIDs(t *testing.T, db *testDB, to overlay.Target, want string) {
	t.Helper()
	query := "SELECT coalesce(group_concat(id), '') FROM (SELECT id FROM people ORDER BY id) AS p"
	if got := must(t, overlay.Scalar[string](db.ctx, to, query)); got != want {
		t.Errorf("people %q, want %q", got, want)
	}
}

// wantOutcomes fails unless the statements have ended like this: + succeeded, ! failed by
// itself, - was not run. If any failed the future's error must be the first one, with
// its number.
func wantOutcomes(t *testing.T, f *overlay.Future[[]overlay.BatchResult], want string) {
	t.Helper()
	results, err := f.Await(atMost(t, patience))
	var got strings.Builder
	for i, r := range results {
		switch {
		case r.Err == nil:
			got.WriteByte('+')
			if n, err := r.Result.RowsAffected(); n != 1 || err != nil {
				t.Errorf("statement %d: %d rows affected, %v", i+1, n, err)
			}
		case r.Err == overlay.ErrNotRun:
			got.WriteByte('-')
		default:
			got.WriteByte('!')
		}
		if (r.Err == nil) != (r.Result != nil) {
			t.Errorf("statement %d: result %v with error %v", i+1, r.Result, r.Err)
		}
	}
	if got.String() != want {
		t.Errorf("outcomes %s, want %s", &got, want)
		return
	}
	first := -1 // what has not been kept comes before it
	for i, r := range results {
		if first < 0 && r.Err != nil && !strings.Contains(r.Err.Error(), "not kept") {
			first = i
		}
	}
	if first < 0 {
		if err != nil {
			t.Error(err)
		}
		return
	}
	if !errors.Is(err, results[first].Err) {
		t.Errorf("error %v, want that of statement %d, %v", err, first+1, results[first].Err)
	} else if number := fmt.Sprintf("statement %d of %d", first+1, len(results)); !strings.Contains(err.Error(), number) {
		t.Errorf("error %q does not say %q", err, number)
	}
}

func TestBatchStopsAtTheFirstError(t *testing.T) {
	onBatchers(t, func(t *testing.T, db *testDB, to batching, run batcher) {
		wantOutcomes(t, run(nil, 1, 2, 2, 3, 3), "++!--")
		wantIDs(t, db, to, "1,2")
		wantOutcomes(t, run([]overlay.BatchOption{nil}, 3, 4), "++")
		wantIDs(t, db, to, "1,2,3,4")
	})
}

func TestBatchKeepsGoing(t *testing.T) {
	onBatchers(t, func(t *testing.T, db *testDB, to batching, run batcher) {
		wantOutcomes(t, run([]overlay.BatchOption{overlay.KeepGoing()}, 1, 1, 2, 2, 3), "+!+!+")
		wantIDs(t, db, to, "1,2,3")
	})
}

func TestBatchInTxIsAllOrNothing(t *testing.T) {
	onBatchers(t, func(t *testing.T, db *testDB, to batching, run batcher) {
		wantOutcomes(t, run([]overlay.BatchOption{overlay.InTx(nil)}, 1, 2, 2, 3), "!!!-")
		wantIDs(t, db, to, "")
		wantOutcomes(t, run([]overlay.BatchOption{overlay.InTx(nil)}, 1, 2, 3), "+++")
		wantIDs(t, db, to, "1,2,3")
	})
}

// What can be done is committed.
func TestBatchInTxKeepsGoing(t *testing.T) {
	onBatchers(t, func(t *testing.T, db *testDB, to batching, run batcher) {
		wantOutcomes(t, run([]overlay.BatchOption{overlay.InTx(nil), overlay.KeepGoing()}, 1, 1, 2), "+!+")
		wantIDs(t, db, to, "1,2")
	})
}

func TestBatchOfNothing(t *testing.T) {
	onBatchers(t, func(t *testing.T, db *testDB, to batching, run batcher) {
		for _, opts := range [][]overlay.BatchOption{nil, {overlay.KeepGoing()}, {overlay.InTx(nil)}} {
			wantOutcomes(t, run(opts), "")
		}
	})
}

// In a transaction that is open a batch is a savepoint: its end leaves the
// transaction, and what was done in it, as they are.
func TestBatchInTxInATransactionIsASavepoint(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		inTx := []overlay.BatchOption{overlay.InTx(nil)}
		for name, run := range batchers(db, c) {
			tx := must(t, c.BeginAsync(db.ctx, nil))
			must(t, c.ExecAsync(db.ctx, insertByID, 1))
			wantOutcomes(t, run(inTx, 2, 3, 3, 4), "!!!-")
			if !c.InTransaction() {
				t.Errorf("%s: the transaction is over", name)
			}
			wantIDs(t, db, c, "1")
			wantOutcomes(t, run(inTx, 5, 6), "++")
			wantOutcomes(t, run(append(inTx, overlay.KeepGoing()), 6, 7), "!+")
			wantIDs(t, db, c, "1,5,6,7")
			must(t, tx.RollbackAsync(db.ctx)) // also what the batches have released
			wantIDs(t, db, c, "")

			tx = must(t, c.BeginAsync(db.ctx, nil))
			wantOutcomes(t, run(inTx, 8), "+")
			must(t, tx.CommitAsync(db.ctx))
			wantIDs(t, db, c, "8")
			must(t, c.ExecAsync(db.ctx, "DELETE FROM people"))
		}
		db.close(t, c)
	})
}

// Without InTx a batch in a transaction is a part of it.
func TestBatchInATransaction(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		c := db.connect(t)
		for _, run := range batchers(db, c) {
			tx := must(t, c.BeginAsync(db.ctx, nil))
			wantOutcomes(t, run(nil, 1, 2, 2), "++!")
			wantIDs(t, db, c, "1,2")
			must(t, tx.RollbackAsync(db.ctx))
			wantIDs(t, db, c, "")
		}
		db.close(t, c)
	})
}

func TestBatchResultsAreThoseOfTheStatements(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		results := must(t, db.e.BatchAsync(db.ctx, []overlay.Statement{
			{Query: insertPerson, Args: []any{"Ann"}},
			{Query: "INSERT INTO people (name) VALUES ('Bob'), ('Cyd')"},
			{Query: "UPDATE people SET name = ?", Args: []any{"Dan"}},
			{Query: "DELETE FROM people WHERE id = ? OR id = ?", Args: []any{1, 2}},
			{Query: "DELETE FROM people WHERE id = 1"},
		}))
		for i, want := range []int64{1, 2, 3, 2, 0} {
			if n, err := results[i].Result.RowsAffected(); n != want || err != nil {
				t.Errorf("statement %d: %d rows affected, %v; want %d", i+1, n, err, want)
			}
		}
		if id, err := results[0].Result.LastInsertId(); id != 1 || err != nil {
			t.Errorf("id %d, %v", id, err)
		}
		many := must(t, db.e.ExecManyAsync(db.ctx, insertPerson, [][]any{{"Eve"}, {"Fay"}}))
		for i, r := range many {
			if id, err := r.Result.LastInsertId(); id != int64(4+i) || err != nil {
				t.Errorf("set %d: id %d, %v; want %d", i+1, id, err, 4+i)
			}
		}
	})
}

// A statement that cannot be prepared fails with the first set.
func TestExecManyOfABadStatement(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		sets := [][]any{{1}, {2}}
		wantOutcomes(t, db.e.ExecManyAsync(db.ctx, "INSERT INTO nowhere VALUES (?)", sets), "!-")
		wantOutcomes(t, db.e.ExecManyAsync(db.ctx, "INSERT INTO nowhere VALUES (?)", sets, overlay.KeepGoing()), "!!")
		wantOutcomes(t, db.e.ExecManyAsync(db.ctx, "INSERT INTO nowhere VALUES (?)", sets, overlay.InTx(nil)), "!-")
	})
}

// Each set must have as many arguments as the statement takes.
func TestExecManyOfAWrongNumberOfArguments(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		f := db.e.ExecManyAsync(db.ctx, insertByID, [][]any{{1}, {}, {3}}, overlay.KeepGoing())
		wantOutcomes(t, f, "+!+")
		wantIDs(t, db, db.e, "1,3")
	})
}

// DDL on MySQL ends the batch's transaction: what came before is there to stay, and no result
// says that it was not kept.
func TestBatchInTxThatDDLHasEnded(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		db.people(t)
		results, err := db.e.BatchAsync(db.ctx, []overlay.Statement{
			{Query: insertPerson, Args: []any{"Ann"}}, {Query: "CREATE TABLE other (id INT)"}, {Query: insertPerson, Args: []any{"Bob"}},
		}, overlay.InTx(nil)).Await(db.ctx)
		wantError(t, err, overlay.ErrTxEnded)
		wantError(t, results[0].Err, overlay.ErrOutcomeUnknown)
		wantError(t, results[1].Err, overlay.ErrOutcomeUnknown)
		wantError(t, results[2].Err, overlay.ErrTxEnded)
		db.wantPeople(t, 1)
	})
}

// Statements of a transaction that a batch's own texts begin, and that is rolled back, have its
// error.
func TestBatchThatBeginsByText(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t)
		const insert = "INSERT INTO people VALUES (1, 'x')"
		for _, texts := range [][]string{
			{"BEGIN", insert},
			{"BEGIN", insert, "nonsense"},
			{"BEGIN", insert, "INSERT OR ROLLBACK INTO people VALUES (1, 'x')", "INSERT INTO people VALUES (2, 'x')"},
		} {
			var statements []overlay.Statement
			for _, text := range texts {
				statements = append(statements, overlay.Statement{Query: text})
			}
			results, err := db.e.BatchAsync(db.ctx, statements).Await(db.ctx)
			if err == nil || len(results) > 1 && results[1].Err == nil {
				t.Errorf("%q: error %v, results %v", texts, err, results)
			}
			db.wantPeople(t, 0)
		}
	})
}

// What a text has committed before the transaction that is left open is kept, and said to be.
func TestBatchThatCommitsAndBeginsByText(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t)
		again := "COMMIT; BEGIN"
		if db.maria {
			again = "COMMIT AND CHAIN"
		}
		results, err := db.e.BatchAsync(db.ctx, []overlay.Statement{{Query: "BEGIN"}, {Query: "INSERT INTO people VALUES (1, 'x')"},
			{Query: again}, {Query: "INSERT INTO people VALUES (2, 'x')"}}).Await(db.ctx)
		wantError(t, err, overlay.ErrTxLeftOpen)
		if results[1].Err != nil || results[3].Err == nil {
			t.Errorf("results %v", results)
		}
		db.wantPeople(t, 1)
	})
}

// panicker is an argument that panics as it is converted.
type panicker struct{}

func (panicker) Value() (driver.Value, error) { panic("in Value") }

// A statement that panics fails, and the others have results.
func TestBatchWhoseArgumentPanics(t *testing.T) {
	e, _ := onFile(t)
	statements := []overlay.Statement{
		{Query: "insert into t values (1)"},
		{Query: "insert into t values (?)", Args: []any{panicker{}}},
		{Query: "insert into t values (3)"},
	}
	for name, c := range map[string]struct {
		opts []overlay.BatchOption
		kept int64
	}{"as it is": {nil, 1}, "InTx": {[]overlay.BatchOption{overlay.InTx(nil)}, 0}, "KeepGoing": {[]overlay.BatchOption{overlay.KeepGoing()}, 2}} {
		t.Run(name, func(t *testing.T) {
			must(t, e.ExecAsync(background, "delete from t"))
			results, err := e.BatchAsync(background, statements, c.opts...).Await(background)
			var panicked *threadpin.PanicError
			if !errors.As(err, &panicked) || len(results) != 3 || !errors.As(results[1].Err, &panicked) {
				t.Fatalf("%d results, %v; want 3, and the panic", len(results), err)
			}
			var told int64
			for _, r := range results {
				if r.Err == nil {
					told++
				}
			}
			if n := must(t, e.ScalarAsync(background, "select count(*) from t")); n != c.kept || told != c.kept {
				t.Errorf("%v rows are kept, %d results say so; want %d", n, told, c.kept)
			}
		})
	}
}
