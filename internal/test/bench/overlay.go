package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/overlay"
)

// async does something n times through an engine.
type async func(ctx context.Context, e *overlay.Engine, n int) error

func overlayCases() []comparison {
	at := func(ratio float64) goal { return goal{ratio: ratio} }
	// The bare pool is at its best with a connection for each goroutine.
	return []comparison{
		onEngine("a call that does nothing (bare: a channel)", goal{}, 1, 1, plainContext, nothing, nothingAsync),
		onEngine("point query, awaited at once", at(1.3), 1, 1, plainContext, pointQuery, pointAsync),
		onEngine("3,000 futures and All, 1 lane (bare: in a loop)", at(0.9), 1, 1, plainContext, parallelQueries(1), fanOut),
		onEngine("3,000 futures and All, 2 lanes (bare: 8 goroutines)", at(1.2), 8, 2, plainContext, parallelQueries(8), fanOut),
		onEngine("64 goroutines, 1 lane", at(2), 64, 1, plainContext, parallelQueries(64), parallelAsync(64)),
		onEngine("64 goroutines, 2 lanes", at(2), 64, 2, plainContext, parallelQueries(64), parallelAsync(64)),
		onEngine("64 goroutines, 4 lanes", at(2), 64, 4, plainContext, parallelQueries(64), parallelAsync(64)),
		onEngine("ExecMany of 1,000 inserts", at(0.6), 1, 1, cancellable, thousandInserts, execMany),
		onEngine("inline: queries in a RunInThread", at(1.05), 1, 1, plainContext, queriesOnConn, queriesInThread),
		onEngine("inline: queries in a RunInThread, cancellable", at(1.05), 1, 1, cancellable, queriesOnConn, queriesInThread),
		onEngine("RunInThread of ten queries", at(1), 1, 1, plainContext, tenQueries, tenInThread),
		onEngine("RunInThread of ten queries, cancellable", at(1), 1, 1, cancellable, tenQueries, tenInThread),
		onEngine("scan of 10,000 rows × 5", at(0.9), 1, 1, plainContext, scan, scanAsync),
		mariadbInline(),
	}
}

// mariadbInline compares queries on a connection with the same on its thread.
func mariadbInline() comparison {
	c := mariadb("inline: queries in a RunInThread", goal{ratio: 0.6}, plainContext, queriesOnConn)
	open := c.open
	c.open = func() (bare, aio side, err error) {
		if bare, aio, err = open(); err != nil {
			return bare, aio, err
		}
		aio.close()
		e, err := overlay.Open("mysql", os.Getenv("SQLAIO_MARIADB"))
		aio = side{op: func(n int) error { return queriesInThread(context.Background(), e, n) },
			close: func() { e.Shutdown(context.Background()) }}
		return bare, aio, err
	}
	return c
}

// onEngine compares bare work on a pool of some connections with asynchronous
// work on lanes.
func onEngine(name string, goal goal, conns, lanes int, newCtx newContext, do work, through async) comparison {
	return comparison{name: "overlay: " + name, goal: goal, open: func() (bare, aio side, err error) {
		dir, err := os.MkdirTemp("", "aio-bench")
		if err != nil {
			return bare, aio, err
		}
		const flags = "?_journal=WAL&_sync=NORMAL&_busy_timeout=10000"
		b, err := sql.Open("sqlite3", filepath.Join(dir, "bare.db")+flags)
		if err == nil {
			err = fill(b)
		}
		if err != nil {
			return bare, aio, err
		}
		b.SetMaxOpenConns(conns)
		b.SetMaxIdleConns(conns)
		e, err := overlay.Open("sqlite3", filepath.Join(dir, "aio.db")+flags, overlay.WithLanes(lanes))
		if err == nil {
			err = fill(e.SyncDB())
		}
		if err != nil {
			return bare, aio, err
		}
		bare = side{op: func(n int) error {
			ctx, cancel := newCtx()
			defer cancel()
			return do(ctx, b, n)
		}, close: func() { b.Close() }}
		aio = side{op: func(n int) error {
			ctx, cancel := newCtx()
			defer cancel()
			return through(ctx, e, n)
		}, close: func() { e.Shutdown(context.Background()); os.RemoveAll(dir) }}
		return bare, aio, nil
	}}
}

func nothing(_ context.Context, _ *sql.DB, n int) error {
	work, done := make(chan struct{}), make(chan struct{})
	go func() {
		for range work {
			done <- struct{}{}
		}
	}()
	for range n {
		work <- struct{}{}
		<-done
	}
	close(work)
	return nil
}

func nothingAsync(ctx context.Context, e *overlay.Engine, n int) error {
	for range n {
		_, err := overlay.RunInThread(ctx, e, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func pointAsync(ctx context.Context, e *overlay.Engine, n int) error {
	for range n {
		r, err := e.QueryAsync(ctx, "select name, age from bench where id = ?", nextKey()).Await(ctx)
		if err != nil {
			return err
		}
		if err := readFirst(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func readFirst(ctx context.Context, r *overlay.Result) error {
	row, err := r.FirstAsync(ctx).Await(ctx)
	if err != nil {
		return err
	}
	var name string
	var age int
	return row.Scan(&name, &age)
}

func parallelAsync(goroutines int) async {
	return func(ctx context.Context, e *overlay.Engine, n int) error {
		var left atomic.Int64
		left.Store(int64(n))
		errs := make([]error, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for left.Add(-1) >= 0 && errs[g] == nil {
					errs[g] = pointAsync(ctx, e, 1)
				}
			}()
		}
		wg.Wait()
		return errors.Join(errs...)
	}
}

func thousandInserts(ctx context.Context, db *sql.DB, n int) error {
	for range n {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		s, err := tx.PrepareContext(ctx, "insert into bench_log values (?, ?)")
		for i := 0; i < 1000 && err == nil; i++ {
			_, err = s.ExecContext(ctx, i, "somebody")
		}
		if err := errors.Join(err, tx.Rollback()); err != nil {
			return err
		}
	}
	return nil
}

func execMany(ctx context.Context, e *overlay.Engine, n int) error {
	sets := make([][]any, 1000)
	for i := range sets {
		sets[i] = []any{i, "somebody"}
	}
	return e.WithConn(ctx, func(ctx context.Context, c *overlay.Conn) error {
		for range n {
			tx, err := c.BeginAsync(ctx, nil).Await(ctx)
			if err != nil {
				return err
			}
			if _, err := c.ExecManyAsync(ctx, "insert into bench_log values (?, ?)", sets).Await(ctx); err != nil {
				return err
			}
			if _, err := tx.RollbackAsync(ctx).Await(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func tenQueries(ctx context.Context, db *sql.DB, n int) error {
	for range n {
		c, err := db.Conn(ctx)
		if err == nil {
			err = ten(ctx, c)
			c.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func ten(ctx context.Context, c *sql.Conn) error { return onConn(ctx, c, 10) }

func onConn(ctx context.Context, c *sql.Conn, n int) error {
	for range n {
		if err := readPoint(c.QueryRowContext(ctx, "select name, age from bench where id = ?", nextKey())); err != nil {
			return err
		}
	}
	return nil
}

func tenInThread(ctx context.Context, e *overlay.Engine, n int) error {
	for range n {
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
			return struct{}{}, ten(ctx, c)
		}).Await(ctx)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanAsync(ctx context.Context, e *overlay.Engine, n int) error {
	for range n {
		r, err := e.QueryAsync(ctx, "select id, name, age, score, note from bench").Await(ctx)
		if err != nil {
			return err
		}
		count := 0
		for row, err := range r.Rows(ctx) {
			if err != nil {
				return err
			}
			var id, age int
			var name, note string
			var score float64
			if err := row.Scan(&id, &name, &age, &score, &note); err != nil {
				return err
			}
			count++
		}
		if count != 10_000 {
			return errors.New("rows are missing")
		}
	}
	return nil
}

// queriesOnConn and queriesInThread make n queries on one connection, the second with
// one hop for all of them and the same context.
func queriesOnConn(ctx context.Context, db *sql.DB, n int) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return onConn(ctx, c, n)
}

func queriesInThread(ctx context.Context, e *overlay.Engine, n int) error {
	_, err := overlay.RunInThread(ctx, e, func(inner context.Context, c *sql.Conn) (struct{}, error) {
		if ctx.Done() == nil {
			inner = ctx // the function's own can end
		}
		return struct{}{}, onConn(inner, c, n)
	}).Await(ctx)
	return err
}

// fanOut makes all calls of a turn, 3,000 at a time, and waits for them together.
func fanOut(ctx context.Context, e *overlay.Engine, n int) error {
	for n > 0 {
		many := min(n, 3000)
		n -= many
		fs := make([]*overlay.Future[*overlay.Result], many)
		for i := range fs {
			fs[i] = e.QueryAsync(ctx, "select name, age from bench where id = ?", nextKey())
		}
		rs, err := overlay.All(fs...).Await(ctx)
		if err != nil {
			return err
		}
		for _, r := range rs {
			if err := readFirst(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}
