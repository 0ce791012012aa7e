package main

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/sqlaio/sqlaio/overlay"
)

// allWays are all ways, as the storm uses them.
func allWays() []way { return slices.Concat(politeWays, rudeWays, cutWays, readWays) }

// politeWays write as a careful program does.
var politeWays = []way{
	{name: "db-exec", run: dbExec},
	{name: "db-prepared", run: dbPrepared},
	{name: "db-tx", run: dbTx},
	{name: "exec", run: engineExec},
	{name: "with-tx", run: withTx},
	{name: "retry-tx", run: retryTx},
	{name: "nested", run: nested},
	{name: "batch-in-tx", run: batchInTx},
	{name: "batch", run: batch},
	{name: "many-in-tx", run: manyInTx},
	{name: "many", run: many},
	{name: "thread-tx", run: threadTx},
	{name: "conn-tx", run: connTx},
	{name: "sync-conn", run: syncConn, weight: 3},
}

// told enters an answer and returns its error.
func (s *site) told(unit int64, way string, o outcome, err error) error {
	s.tell(belief{unit, way, o}, err)
	return err
}

func dbExec(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	_, err := s.db.ExecContext(ctx, insert, s.row(u, 1, 0)...)
	return s.told(u, "db-exec", verdictAlone(err), err)
}

func dbPrepared(ctx context.Context, s *site, _ *rand.Rand) error {
	stmt, err := s.db.PrepareContext(ctx, insert)
	if err != nil {
		return err
	}
	defer stmt.Close()
	u := s.unit()
	_, err = stmt.ExecContext(ctx, s.row(u, 1, 0)...)
	return s.told(u, "db-prepared", verdictAlone(err), err)
}

func dbTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return s.told(u, "db-tx", refused, err)
	}
	for i := range 2 {
		if _, err := tx.ExecContext(ctx, insert, s.row(u, 2, i)...); err != nil {
			_ = tx.Rollback()
			return s.told(u, "db-tx", refused, err)
		}
	}
	err = tx.Commit()
	return s.told(u, "db-tx", verdictAlone(err), err)
}

func engineExec(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	_, err := s.engine.ExecAsync(ctx, insert, s.row(u, 1, 0)...).Await(ctx)
	return s.told(u, "exec", verdictAlone(err), err)
}

// twoRows returns a transaction's function that inserts the two rows of a unit.
func (s *site) twoRows(u int64) func(context.Context, *overlay.Conn) error {
	return func(ctx context.Context, c *overlay.Conn) error {
		for i := range 2 {
			if _, err := c.ExecAsync(ctx, insert, s.row(u, 2, i)...).Await(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func withTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	err := s.engine.WithTx(ctx, nil, s.twoRows(u))
	return s.told(u, "with-tx", verdict(err), err)
}

func retryTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	err := s.engine.RetryTx(ctx, nil, s.twoRows(u))
	return s.told(u, "retry-tx", verdict(err), err)
}

// errUndo has a savepoint or a transaction rolled back.
var errUndo = errors.New("undo")

// nested writes a unit around a savepoint whose unit is taken back.
func nested(ctx context.Context, s *site, _ *rand.Rand) error {
	outer, inner := s.unit(), s.unit()
	err := s.engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		if _, err := c.ExecAsync(ctx, insert, s.row(outer, 2, 0)...).Await(ctx); err != nil {
			return err
		}
		err := c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
			if _, err := c.ExecAsync(ctx, insert, s.row(inner, 1, 0)...).Await(ctx); err != nil {
				return err
			}
			return errUndo
		})
		if !errors.Is(err, errUndo) {
			return err
		}
		_, err = c.ExecAsync(ctx, insert, s.row(outer, 2, 1)...).Await(ctx)
		return err
	})
	_ = s.told(inner, "nested, taken back", refused, nil)
	return s.told(outer, "nested", verdict(err), err)
}

func batchInTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	statements := []overlay.Statement{s.statement(u, 3, 0), s.statement(u, 3, 1), s.statement(u, 3, 2)}
	_, err := s.engine.BatchAsync(ctx, statements, overlay.InTx(nil)).Await(ctx)
	return s.told(u, "batch-in-tx", verdict(err), err)
}

func batch(ctx context.Context, s *site, _ *rand.Rand) error {
	units := []int64{s.unit(), s.unit(), s.unit()}
	var statements []overlay.Statement
	for _, u := range units {
		statements = append(statements, s.statement(u, 1, 0))
	}
	results, err := s.engine.BatchAsync(ctx, statements).Await(ctx)
	return s.toldEach(units, "batch", results, err)
}

func manyInTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	_, err := s.engine.ExecManyAsync(ctx, insert, s.rows(u, 5), overlay.InTx(nil)).Await(ctx)
	return s.told(u, "many-in-tx", verdict(err), err)
}

func many(ctx context.Context, s *site, _ *rand.Rand) error {
	units := []int64{s.unit(), s.unit(), s.unit(), s.unit()}
	var sets [][]any
	for _, u := range units {
		sets = append(sets, s.row(u, 1, 0))
	}
	results, err := s.engine.ExecManyAsync(ctx, insert, sets).Await(ctx)
	return s.toldEach(units, "many", results, err)
}

// toldEach enters the answers of a batch outside a transaction: each statement
// has its own. Without results all have the batch's.
func (s *site) toldEach(units []int64, way string, results []overlay.BatchResult, err error) error {
	for i, u := range units {
		own := err
		if i < len(results) {
			own = results[i].Err
		}
		_ = s.told(u, way, verdictAlone(own), own)
	}
	return err
}

// threadTx makes a sql.Tx on the connection's thread.
func threadTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	var committing atomic.Bool // the function may outlast Await
	_, err := overlay.RunInThread(ctx, s.engine, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		tx, err := c.BeginTx(ctx, nil)
		if err != nil {
			return struct{}{}, err
		}
		for i := range 2 {
			if _, err := tx.ExecContext(ctx, insert, s.row(u, 2, i)...); err != nil {
				_ = tx.Rollback()
				return struct{}{}, err
			}
		}
		committing.Store(true)
		return struct{}{}, tx.Commit()
	}).Await(ctx)
	if committing.Load() {
		return s.told(u, "thread-tx", verdictAlone(err), err)
	}
	return s.told(u, "thread-tx", verdict(err), err)
}

// connTx makes a transaction call by call.
func connTx(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	c, err := s.engine.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		return s.told(u, "conn-tx", refused, err)
	}
	defer s.closeConn(c)
	tx, err := c.BeginAsync(ctx, nil).Await(ctx)
	if err != nil {
		return s.told(u, "conn-tx", refused, err)
	}
	for i := range 2 {
		if _, err := c.ExecAsync(ctx, insert, s.row(u, 2, i)...).Await(ctx); err != nil {
			return s.told(u, "conn-tx", refused, err)
		}
	}
	_, err = tx.CommitAsync(ctx).Await(ctx)
	return s.told(u, "conn-tx", verdict(err), err)
}

// closeConn closes a connection whatever has become of the call's context.
func (s *site) closeConn(c *overlay.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_, _ = c.CloseAsync(ctx).Await(ctx)
}

// syncConn writes outside a transaction on the sql.Conn behind a Conn.
func syncConn(ctx context.Context, s *site, _ *rand.Rand) error {
	u := s.unit()
	c, err := s.engine.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		return s.told(u, "sync-conn", refused, err)
	}
	defer s.closeConn(c)
	_, err = c.SyncConn().ExecContext(ctx, insert, s.row(u, 1, 0)...)
	return s.told(u, "sync-conn", verdictAlone(err), err)
}
