package main

import (
	"context"
	"database/sql"
	"math/rand/v2"

	"github.com/sqlaio/sqlaio/overlay"
)

// readWays read, to the end or not, and leave things open.
var readWays = []way{
	{name: "db-rows", run: dbRows, weight: 3},
	{name: "scalar", run: scalar, weight: 5},
	{name: "fetch-all", run: fetchAll, weight: 3},
	{name: "fetch-some", run: fetchSome, weight: 3},
	{name: "loop", run: loop, weight: 3},
	{name: "lookup-in-loop", run: lookupInLoop, weight: 2},
	{name: "leaked-result", run: leakedResult, weight: 1},
	{name: "leaked-rows", run: leakedRows, weight: 1},
	{name: "all-and-any", run: allAndAny, weight: 2},
	{name: "tables", run: tables, weight: 1},
}

const readMany = "SELECT id, unit, size FROM writes ORDER BY id DESC LIMIT 1000"

// stream returns a result whose rows are still coming, where the engine has it.
func (s *site) stream(ctx context.Context, query string) *overlay.Future[*overlay.Result] {
	type streamer interface {
		StreamAsync(ctx context.Context, query string, args ...any) *overlay.Future[*overlay.Result]
	}
	if e, ok := any(s.engine).(streamer); ok {
		return e.StreamAsync(ctx, query)
	}
	return s.engine.QueryAsync(ctx, query)
}

func dbRows(ctx context.Context, s *site, r *rand.Rand) error {
	rows, err := s.db.QueryContext(ctx, readMany)
	if err != nil {
		return err
	}
	defer rows.Close()
	for n := r.IntN(1500); n > 0 && rows.Next(); n-- {
		var id, unit, size int64
		if err := rows.Scan(&id, &unit, &size); err != nil {
			return err
		}
	}
	return rows.Err()
}

func scalar(ctx context.Context, s *site, _ *rand.Rand) error {
	_, err := overlay.Scalar[int64](ctx, s.engine, "SELECT MAX(n) FROM counters").Await(ctx)
	return err
}

func fetchAll(ctx context.Context, s *site, _ *rand.Rand) error {
	result, err := s.engine.QueryAsync(ctx, readMany).Await(ctx)
	if err != nil {
		return err
	}
	_, err = result.FetchAllAsync(ctx).Await(ctx)
	s.closeResult(result)
	return err
}

func fetchSome(ctx context.Context, s *site, r *rand.Rand) error {
	result, err := s.stream(ctx, readMany).Await(ctx)
	if err != nil {
		return err
	}
	defer s.closeResult(result)
	_, err = result.FetchManyAsync(ctx, 1+r.IntN(600)).Await(ctx)
	return err
}

func (s *site) closeResult(result *overlay.Result) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	_, _ = result.CloseAsync(ctx).Await(ctx)
}

func loop(ctx context.Context, s *site, r *rand.Rand) error {
	result, err := s.stream(ctx, readMany).Await(ctx)
	if err != nil {
		return err
	}
	n := r.IntN(1500)
	for _, err := range result.Rows(ctx) {
		if err != nil {
			return err
		}
		if n--; n < 0 {
			break
		}
	}
	return nil
}

// lookupInLoop makes a call on the engine for every row of a result.
func lookupInLoop(ctx context.Context, s *site, r *rand.Rand) error {
	result, err := s.stream(ctx, readMany).Await(ctx)
	if err != nil {
		return err
	}
	n := 20
	for _, err := range result.Rows(ctx) {
		if err == nil {
			_, err = s.engine.ScalarAsync(ctx, "SELECT n FROM counters WHERE id = ?", r.IntN(counters)).Await(ctx)
		}
		if err != nil {
			return err
		}
		if n--; n < 0 {
			break
		}
	}
	return nil
}

// leakedResult forgets a result that has rows left.
func leakedResult(ctx context.Context, s *site, _ *rand.Rand) error {
	_, err := s.stream(ctx, readMany).Await(ctx)
	return err
}

// leakedRows leaves rows open on a connection's thread.
func leakedRows(ctx context.Context, s *site, _ *rand.Rand) error {
	_, err := overlay.RunInThread(ctx, s.engine, func(ctx context.Context, c *sql.Conn) (struct{}, error) {
		rows, err := c.QueryContext(ctx, readMany)
		if err == nil {
			rows.Next()
		}
		return struct{}{}, err
	}).Await(ctx)
	return err
}

func allAndAny(ctx context.Context, s *site, r *rand.Rand) error {
	var futures []*overlay.Future[any]
	for range 6 {
		futures = append(futures, s.engine.ScalarAsync(ctx, "SELECT n FROM counters WHERE id = ?", r.IntN(counters)))
	}
	if r.IntN(2) == 0 {
		_, err := overlay.Any(futures...).Await(ctx)
		return err
	}
	_, err := overlay.All(futures...).Await(ctx)
	return err
}

func tables(ctx context.Context, s *site, _ *rand.Rand) error {
	if _, err := s.engine.TableNamesAsync(ctx).Await(ctx); err != nil {
		return err
	}
	_, err := s.engine.HasTableAsync(ctx, "writes").Await(ctx)
	return err
}
