package ledger_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A way is one way to write a few rows. It enters in the ledger what it was told, and
// returns the error.
type way struct {
	name  string
	write func(ctx context.Context, e *overlay.Engine, l *ledger) error
}

// target is what Engine and Conn have in common.
type target interface {
	overlay.Target
	ExecAsync(ctx context.Context, query string, args ...any) *overlay.Future[sql.Result]
	ExecuteAsync(ctx context.Context, query string, args ...any) *overlay.Future[*overlay.Result]
	QueryAsync(ctx context.Context, query string, args ...any) *overlay.Future[*overlay.Result]
	StreamAsync(ctx context.Context, query string, args ...any) *overlay.Future[*overlay.Result]
	ScalarAsync(ctx context.Context, query string, args ...any) *overlay.Future[any]
	BatchAsync(ctx context.Context, statements []overlay.Statement, opts ...overlay.BatchOption) *overlay.Future[[]overlay.BatchResult]
	ExecManyAsync(ctx context.Context, query string, argSets [][]any, opts ...overlay.BatchOption) *overlay.Future[[]overlay.BatchResult]
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	RunCallable(ctx context.Context, fn func(*sql.Conn) error) error
	WithTx(ctx context.Context, opts *sql.TxOptions, fn func(context.Context, *overlay.Conn) error) error
}

var (
	_ target = (*overlay.Engine)(nil)
	_ target = (*overlay.Conn)(nil)
)

// single is one write of one row.
type single struct {
	name      string
	returning bool // the statement returns a row
	exec      func(ctx context.Context, to target, query string, args ...any) error
}

var singles = []single{
	{"ExecAsync", false, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.ExecAsync(ctx, query, args...).Await(ctx))
	}},
	{"ExecuteAsync", false, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.ExecuteAsync(ctx, query, args...).Await(ctx))
	}},
	{"ExecuteAsync RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.ExecuteAsync(ctx, query, args...).Await(ctx))
	}},
	{"QueryAsync RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.QueryAsync(ctx, query, args...).Await(ctx))
	}},
	{"ScalarAsync RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.ScalarAsync(ctx, query, args...).Await(ctx))
	}},
	{"Scalar RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(overlay.Scalar[int64](ctx, to, query, args...).Await(ctx))
	}},
	{"One RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(overlay.One[int64](ctx, to, query, args...).Await(ctx))
	}},
	{"StreamAsync RETURNING", true, func(ctx context.Context, to target, query string, args ...any) error {
		r, err := to.StreamAsync(ctx, query, args...).Await(ctx)
		if err != nil {
			return err
		}
		defer r.CloseAsync(background)
		if err := errOf(r.FetchAllAsync(ctx).Await(ctx)); err != nil {
			return fmt.Errorf("%w: reading: %w", overlay.ErrOutcomeUnknown, err) // what is read is not what is written
		}
		return nil
	}},
	{"ExecContext", false, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(to.ExecContext(ctx, query, args...))
	}},
	{"RunInThread", false, func(ctx context.Context, to target, query string, args ...any) error {
		return errOf(overlay.RunInThread(ctx, to, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
			return c.ExecContext(ctx, query, args...)
		}).Await(ctx))
	}},
	{"RunCallable", false, func(ctx context.Context, to target, query string, args ...any) error {
		return to.RunCallable(ctx, func(c *sql.Conn) error { return errOf(c.ExecContext(ctx, query, args...)) })
	}},
}

func (s single) text() string {
	if s.returning {
		return insertReturning
	}
	return insert
}

// onTarget is a way to use an Engine's target: itself, or a Conn of its own for each write.
type onTarget struct {
	name string
	with func(ctx context.Context, e *overlay.Engine, fn func(to target) error) error
}

var targets = []onTarget{
	{"Engine", func(_ context.Context, e *overlay.Engine, fn func(target) error) error { return fn(e) }},
	{"Conn", func(ctx context.Context, e *overlay.Engine, fn func(target) error) error {
		f := e.ConnectAsync(ctx)
		<-f.Done()
		c, err, _ := f.TryResult()
		if err != nil {
			return err
		}
		defer func() {
			// Without a context of its own the close waits for the thread, which may be stuck.
			ctx, cancel := context.WithTimeout(background, 100*time.Millisecond)
			defer cancel()
			c.CloseAsync(background).Await(ctx)
		}()
		return fn(c)
	}},
}

// batchOptions are all combinations.
var batchOptions = []struct {
	name            string
	inTx, keepGoing bool
	opts            []overlay.BatchOption
}{
	{"", false, false, nil},
	{" InTx", true, false, []overlay.BatchOption{overlay.InTx(nil)}},
	{" KeepGoing", false, true, []overlay.BatchOption{overlay.KeepGoing()}},
	{" InTx KeepGoing", true, true, []overlay.BatchOption{overlay.InTx(nil), overlay.KeepGoing()}},
}

// tellBatch enters the outcome of a batch. All or nothing is told by the error alone;
// otherwise each statement has a result of its own, and what has none was refused.
func tellBatch(g *group, ids []int64, inTx, keepGoing bool, results []overlay.BatchResult, err error) {
	if inTx && !keepGoing {
		for _, id := range ids {
			g.told(id, nil)
		}
		g.ended(err)
		return
	}
	for i, id := range ids {
		switch {
		case i < len(results):
			g.told(id, results[i].Err)
		default:
			g.told(id, err)
		}
	}
	g.ended(nil)
}

// ways returns all of them.
func ways() (all []way) {
	for _, to := range targets {
		add := func(name string, write func(ctx context.Context, to target, l *ledger) error) {
			all = append(all, way{to.name + " " + name, func(ctx context.Context, e *overlay.Engine, l *ledger) error {
				return to.with(ctx, e, func(to target) error { return write(ctx, to, l) })
			}})
		}
		for _, s := range singles {
			add(s.name, func(ctx context.Context, to target, l *ledger) error {
				id := l.next(s.name)
				return l.told(id, s.exec(ctx, to, s.text(), id))
			})
		}
		for _, o := range batchOptions {
			add("BatchAsync"+o.name, func(ctx context.Context, to target, l *ledger) error {
				return inBatch(ctx, to, l.begin("BatchAsync"+o.name), append(twoRows, twoRows...), o.inTx, o.keepGoing, false, o.opts)
			})
			add("ExecManyAsync"+o.name, func(ctx context.Context, to target, l *ledger) error {
				g := l.begin("ExecManyAsync" + o.name)
				ids := []int64{g.next(), g.next(), g.next()}
				results, err := to.ExecManyAsync(ctx, insert, [][]any{{ids[0]}, {ids[1]}, {ids[2]}}, o.opts...).Await(ctx)
				tellBatch(g, ids, o.inTx, o.keepGoing, results, err)
				return err
			})
		}
	}
	for _, s := range scopes() {
		if s.kind == byBatch && !strings.Contains(s.name, "BEGIN") {
			continue // it is there already
		}
		all = append(all, way{s.name, func(ctx context.Context, e *overlay.Engine, l *ledger) error {
			return s.run(ctx, e, l, twoRows)
		}})
	}
	all = append(all,
		way{"sql.DB Exec", func(ctx context.Context, e *overlay.Engine, l *ledger) error {
			id := l.next("sql.DB Exec")
			return l.told(id, errOf(e.SyncDB().ExecContext(ctx, insert, id)))
		}},
		way{"SyncConn Exec", func(ctx context.Context, e *overlay.Engine, l *ledger) error {
			return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
				id := l.next("SyncConn Exec")
				return l.told(id, errOf(c.SyncConn().ExecContext(ctx, insert, id)))
			})
		}},
	)
	return all
}

// Every way writes its rows on every database: without faults nothing is refused.
func TestEveryWayWrites(t *testing.T) {
	run := func(t *testing.T, db *database) {
		e := db.open(t)
		for _, w := range ways() {
			if db.bank != nil && strings.Contains(w.name, "BEGIN") {
				continue // a driver that cannot say what a text has begun
			}
			if err := within(t, w.name, func() error { return w.write(background, e, db.l) }); err != nil {
				t.Errorf("%s: %v", w.name, err)
			}
		}
		db.check(t)
	}
	onEach(t, run)
	onBank(t, run)
}
