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
	background := func() (context.Context, func()) { return context.Background(), func() {} }
	cancellable := func() (context.Context, func()) { return context.WithCancel(context.Background()) }
	// The bare pool is at its best with a connection for each goroutine.
	return []comparison{
		onEngine("a call that does nothing (bare: a channel)", 0, 1, 1, background, nothing, nothingAsync),
		onEngine("point query, awaited at once", 0, 1, 1, background, pointQuery, pointAsync),
		onEngine("64 goroutines, 1 lane", 1.0, 64, 1, background, parallelQueries(64), parallelAsync(64)),
		onEngine("64 goroutines, 2 lanes", 1.0, 64, 2, background, parallelQueries(64), parallelAsync(64)),
		onEngine("64 goroutines, 4 lanes", 1.0, 64, 4, background, parallelQueries(64), parallelAsync(64)),
		onEngine("ExecMany of 1,000 inserts", 0.6, 1, 1, cancellable, thousandInserts, execMany),
		onEngine("RunInThread of ten queries", 1.0, 1, 1, background, tenQueries, tenInThread),
		onEngine("RunInThread of ten queries, cancellable", 1.0, 1, 1, cancellable, tenQueries, tenInThread),
		onEngine("scan of 10,000 rows × 5", 0.8, 1, 1, background, scan, scanAsync),
	}
}

// onEngine compares bare work on a pool of some connections with asynchronous
// work on lanes.
func onEngine(name string, goal float64, conns, lanes int, newCtx func() (context.Context, func()), do work, through async) comparison {
	return comparison{"overlay: " + name, goal, func() (bare, aio side, err error) {
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
		bare = side{func(n int) error {
			ctx, cancel := newCtx()
			defer cancel()
			return do(ctx, b, n)
		}, func() { b.Close() }}
		aio = side{func(n int) error {
			ctx, cancel := newCtx()
			defer cancel()
			return through(ctx, e, n)
		}, func() { e.Shutdown(context.Background()); os.RemoveAll(dir) }}
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
		row, err := r.FirstAsync(ctx).Await(ctx)
		if err != nil {
			return err
		}
		var name string
		var age int
		if err := row.Scan(&name, &age); err != nil {
			return err
		}
	}
	return nil
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

func ten(ctx context.Context, c *sql.Conn) error {
	for range 10 {
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
