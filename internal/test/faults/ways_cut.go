package main

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// cutWays leave in the middle: they panic, cancel, close, forget, shut down.
var cutWays = []way{
	{name: "left-open", run: leftOpen, weight: 3},
	{name: "panic-in-tx", run: panicInTx, weight: 3},
	{name: "panic-in-thread", run: panicInThread, weight: 3},
	{name: "goexit", run: goexit, weight: 1},
	{name: "cancel", run: cancelled},
	{name: "reused-args", run: reusedArgs, weight: 3},
	{name: "close-at-once", run: closeAtOnce},
	{name: "leaked-tx", run: leakedTx, weight: 1},
	{name: "shutdown", run: shutdownUnderway, weight: 1},
}

// leftOpen begins a transaction on a connection's thread and does not end it.
func leftOpen(ctx context.Context, s *site, r *rand.Rand) error {
	u := s.unit()
	plain := r.IntN(2) == 0
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel() // else database/sql would keep a goroutine for the transaction
	_, err := overlay.RunInThread(ctx, s.engine, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		if plain {
			if _, err := c.ExecContext(ctx, "BEGIN"); err != nil {
				return struct{}{}, err
			}
			_, err := c.ExecContext(ctx, insert, s.row(u, 1, 0)...)
			return struct{}{}, err
		}
		tx, err := c.BeginTx(lasting, nil)
		if err != nil {
			return struct{}{}, err
		}
		_, err = tx.ExecContext(ctx, insert, s.row(u, 1, 0)...)
		return struct{}{}, err
	}).Await(ctx)
	if err == nil {
		s.wrong("left-open: the call that left a transaction open was not told")
	}
	return s.told(u, "left-open", refused, err)
}

func panicInTx(ctx context.Context, s *site, _ *rand.Rand) (err error) {
	u := s.unit()
	defer func() {
		if p := recover(); p != nil {
			err = errUndo
		}
		_ = s.told(u, "panic-in-tx", refused, err)
	}()
	return s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		if _, err := c.ExecAsync(ctx, insert, s.row(u, 1, 0)...).Await(ctx); err != nil {
			return err
		}
		panic("on purpose")
	})
}

func panicInThread(ctx context.Context, s *site, _ *rand.Rand) error {
	return s.breakOff(ctx, "panic-in-thread", func() { panic("on purpose") })
}

func goexit(ctx context.Context, s *site, _ *rand.Rand) error {
	return s.breakOff(ctx, "goexit", runtime.Goexit)
}

// breakOff leaves a function on a connection's thread, with a transaction open.
func (s *site) breakOff(ctx context.Context, way string, leave func()) error {
	u := s.unit()
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel() // as in leftOpen
	_, err := overlay.RunInThread(ctx, s.engine, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		tx, err := c.BeginTx(lasting, nil)
		if err != nil {
			return struct{}{}, err
		}
		if _, err = tx.ExecContext(ctx, insert, s.row(u, 1, 0)...); err != nil {
			_ = tx.Rollback()
			return struct{}{}, err
		}
		leave()
		return struct{}{}, nil
	}).Await(ctx)
	if err == nil {
		s.wrong("%s: no error", way)
	}
	return s.told(u, way, refused, err)
}

// cancelled cancels its future a moment after the call.
func cancelled(ctx context.Context, s *site, r *rand.Rand) error {
	u := s.unit()
	f := s.engine.ExecAsync(ctx, insert, s.row(u, 1, 0)...)
	if wait := r.IntN(3); wait > 0 {
		time.Sleep(time.Duration(r.IntN(500*wait)) * time.Microsecond)
	}
	f.Cancel()
	_, err := f.Await(ctx)
	return s.told(u, "cancel", verdictAlone(err), err)
}

// reusedArgs changes the arguments of a call after making it.
func reusedArgs(ctx context.Context, s *site, _ *rand.Rand) error {
	var units [5]int64
	var futures [5]*overlay.Future[sql.Result]
	args := s.row(0, 1, 0)
	for i := range units {
		units[i] = s.unit()
		args[0], args[1] = rowID(units[i], 0), units[i]
		futures[i] = s.engine.ExecAsync(ctx, insert, args...)
	}
	var last error
	for i, f := range futures {
		_, err := f.Await(ctx)
		if s.told(units[i], "reused-args", verdictAlone(err), err) != nil {
			last = err
		}
	}
	return last
}

// closeAtOnce closes a connection after one call on it and before another.
func closeAtOnce(ctx context.Context, s *site, _ *rand.Rand) error {
	c, err := s.engine.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		return err
	}
	u, v := s.unit(), s.unit()
	first := c.ExecAsync(ctx, insert, s.row(u, 1, 0)...)
	closed := c.CloseAsync(ctx)
	second := c.ExecAsync(ctx, insert, s.row(v, 1, 0)...)
	_, err = first.Await(ctx)
	_ = s.told(u, "close-at-once", verdictAlone(err), err)
	_, err = second.Await(ctx)
	_ = s.told(v, "close-at-once", verdictAlone(err), err)
	_, err = closed.Await(ctx)
	s.closeConn(c)
	return err
}

// leakedTx forgets a connection with an open transaction.
func leakedTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	err := func() error {
		c, err := s.engine.ConnectAsync(ctx).Await(ctx)
		if err != nil {
			return err
		}
		if _, err = c.BeginAsync(ctx, nil).Await(ctx); err != nil {
			return err
		}
		_, err = c.ExecAsync(ctx, insert, s.row(u, 1, 0)...).Await(ctx)
		return err
	}()
	runtime.GC() // else it would keep the write lock until the next one
	return s.told(u, "leaked-tx", refused, err)
}

// shutdownUnderway shuts an engine of its own down under its calls.
func shutdownUnderway(ctx context.Context, s *site, r *rand.Rand) error {
	engine := overlay.New(s.db, overlay.WithLanes(1+r.IntN(2)))
	var units [8]int64
	var futures [8]*overlay.Future[sql.Result]
	for i := range units {
		units[i] = s.unit()
		futures[i] = engine.ExecAsync(ctx, insert, s.row(units[i], 1, 0)...)
	}
	limit := time.Duration(r.IntN(30)) * time.Millisecond
	down, cancel := context.WithTimeout(context.Background(), limit)
	begun := time.Now()
	_ = engine.Shutdown(down)
	cancel()
	if over := time.Since(begun) - limit; over > grace {
		s.wrong("shutdown: back more than %v after its deadline", over.Truncate(time.Second))
	}
	var last error
	for i, f := range futures {
		_, err := f.Await(ctx)
		if s.told(units[i], "shutdown", verdictAlone(err), err) != nil {
			last = err
		}
	}
	return last
}
