package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/sqlaio/sqlaio/overlay"
)

// rudeWays make transactions that fail in the middle, and go on. What they are
// told must be true all the same, and so must what their neighbours are told.
var rudeWays = []way{
	{name: "ignored-error", run: ignoredError},
	{name: "keep-going", run: keepGoing},
	{name: "or-rollback-batch", run: orRollbackBatch, driver: "sqlite3", weight: 3},
	{name: "or-rollback-db-tx", run: orRollbackDBTx, driver: "sqlite3", weight: 3},
	{name: "script", run: script, driver: "sqlite3", weight: 3},
	{name: "deadlock", run: deadlock, driver: "mysql"},
	{name: "deadlock-batch", run: deadlockBatch, driver: "mysql"},
	{name: "ddl-in-tx", run: ddlInTx, driver: "mysql", weight: 1},
}

// ignoredError has a statement in WithTx fail without anybody looking at it.
func ignoredError(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	err := s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		if _, err := c.ExecAsync(ctx, insert, s.row(u, 1, 0)...).Await(ctx); err != nil {
			return err
		}
		<-c.ExecAsync(ctx, insert, s.row(u, 1, 0)...).Done() // the same key
		return nil
	})
	if err == nil {
		s.wrong("ignored-error: WithTx returned nil although a statement in it had failed")
	}
	return s.told(u, "ignored-error", verdict(err), err)
}

// keepGoing has the second statement of a transaction fail alone.
func keepGoing(ctx context.Context, s *site, _ *rand.Rand) error {
	return s.goOn(ctx, "keep-going", insert)
}

// orRollbackBatch has the second statement roll the transaction back.
func orRollbackBatch(ctx context.Context, s *site, _ *rand.Rand) error {
	return s.goOn(ctx, "or-rollback-batch", "INSERT OR ROLLBACK"+insert[len("INSERT"):])
}

// goOn runs a batch of three in a transaction with KeepGoing. The second, made by
// query, fails: its key is the first one's.
func (s *site) goOn(ctx context.Context, way, query string) error {
	units := []int64{s.unit(), s.unit()}
	statements := []overlay.Statement{
		s.statement(units[0], 1, 0),
		{Query: query, Args: s.row(units[0], 1, 0)},
		s.statement(units[1], 1, 0),
	}
	results, err := s.engine.BatchAsync(ctx, statements, overlay.InTx(nil), overlay.KeepGoing()).Await(ctx)
	for i, u := range units {
		_ = s.told(u, way, keptGoing(results, 2*i, err), err)
	}
	return err
}

// keptGoing reads the answer to one statement of a batch with InTx and KeepGoing.
// It was committed if it has a result and the batch's error, if there is one, is
// that of a statement; any other error is about the transaction.
func keptGoing(results []overlay.BatchResult, i int, err error) outcome {
	if i >= len(results) || results[i].Err != nil {
		return max(verdict(err), refused)
	}
	if err == nil {
		return acknowledged
	}
	if ended(err) || verdict(err) == unknown {
		return verdict(err)
	}
	for _, r := range results {
		if r.Err != nil && errors.Is(err, r.Err) {
			return acknowledged
		}
	}
	return refused
}

// orRollbackDBTx goes on in a sql.Tx that SQLite has rolled back.
func orRollbackDBTx(ctx context.Context, s *site, r *rand.Rand) error {
	before, after := s.unit(), s.unit()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, errBefore := tx.ExecContext(ctx, insert, s.row(before, 1, 0)...)
	_, _ = tx.ExecContext(ctx, "INSERT OR ROLLBACK"+insert[len("INSERT"):], s.row(before, 1, 0)...)
	_, errAfter := tx.ExecContext(ctx, insert, s.row(after, 1, 0)...)
	if r.IntN(2) == 0 {
		_ = tx.Rollback()
		_ = s.told(before, "or-rollback-db-tx, rolled back", refused, nil)
		return s.told(after, "or-rollback-db-tx, rolled back", refused, nil)
	}
	err = tx.Commit()
	s.toldOfTwo(before, errBefore, after, errAfter, "or-rollback-db-tx", err)
	return err
}

// toldOfTwo enters the answers to two statements of one transaction that goes on
// after errors. Each is told by its own error, or else by the end's.
func (s *site) toldOfTwo(a int64, errA error, b int64, errB error, way string, end error) {
	_ = s.told(a, way, verdict(cmp.Or(errA, end)), cmp.Or(errA, end))
	_ = s.told(b, way, verdict(cmp.Or(errB, end)), cmp.Or(errB, end))
}

// script begins a transaction in a text that fails before its COMMIT.
func script(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	row := fmt.Sprintf("INSERT INTO writes (id, unit, size) VALUES (%d, %d, 1);", rowID(u, 0), u)
	_, err := s.engine.ExecAsync(ctx, "BEGIN;"+row+row+"COMMIT").Await(ctx)
	if err == nil {
		s.wrong("script: no error although a statement in it has failed")
	}
	return s.told(u, "script", refused, err)
}

// deadlock runs into others in a WithTx that goes on after errors.
func deadlock(ctx context.Context, s *site, r *rand.Rand) error {
	before, after := s.unit(), s.unit()
	a, b := r.IntN(counters), r.IntN(counters)
	savepoint := r.IntN(2) == 0
	var errBefore, errAfter error
	end := s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, errBefore = c.ExecAsync(ctx, insert, s.row(before, 1, 0)...).Await(ctx)
		updates := func(ctx context.Context, c *overlay.Conn) error {
			_, _ = c.ExecAsync(ctx, count, a).Await(ctx)
			_, _ = c.ExecAsync(ctx, count, b).Await(ctx)
			return nil
		}
		if savepoint {
			_ = c.WithNested(ctx, updates)
		} else {
			_ = updates(ctx, c)
		}
		_, errAfter = c.ExecAsync(ctx, insert, s.row(after, 1, 0)...).Await(ctx)
		return nil
	})
	s.toldOfTwo(before, errBefore, after, errAfter, "deadlock", end)
	return end
}

const count = "UPDATE counters SET n = n + 1 WHERE id = ?"

// deadlockBatch is the same in one batch.
func deadlockBatch(ctx context.Context, s *site, r *rand.Rand) error {
	units := []int64{s.unit(), s.unit()}
	statements := []overlay.Statement{
		s.statement(units[0], 1, 0),
		{Query: count, Args: []any{r.IntN(counters)}},
		{Query: count, Args: []any{r.IntN(counters)}},
		s.statement(units[1], 1, 0),
	}
	results, err := s.engine.BatchAsync(ctx, statements, overlay.InTx(nil), overlay.KeepGoing()).Await(ctx)
	for i, u := range units {
		_ = s.told(u, "deadlock-batch", keptGoing(results, 3*i, err), err)
	}
	return err
}

// ddlInTx ends its transaction with a CREATE TABLE, as MySQL does. What was
// written before is committed by that; what comes after goes by WithTx's answer.
func ddlInTx(ctx context.Context, s *site, _ *rand.Rand) error {
	before, after := s.unit(), s.unit()
	err := s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		if _, err := c.ExecAsync(ctx, insert, s.row(before, 1, 0)...).Await(ctx); err != nil {
			return err
		}
		if _, err := c.ExecAsync(ctx, "CREATE TABLE IF NOT EXISTS made (id INT)").Await(ctx); err != nil {
			return err
		}
		_, err := c.ExecAsync(ctx, insert, s.row(after, 1, 0)...).Await(ctx)
		return err
	})
	_ = s.told(before, "ddl-in-tx", unknown, nil)
	return s.told(after, "ddl-in-tx", verdict(err), err)
}
