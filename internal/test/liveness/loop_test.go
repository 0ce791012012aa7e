package liveness_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// lookUp asks an engine for n, and says if it answers something else.
func lookUp(ctx context.Context, e *overlay.Engine, n int64) error {
	got, err := overlay.Scalar[int64](ctx, e, "SELECT ?", n).Await(ctx)
	if err == nil && got != n {
		err = fmt.Errorf("%d for %d", got, n)
	}
	return err
}

// loop makes an engine call for each of the rows of a query of want rows.
func loop(ctx context.Context, e *overlay.Engine, run func(context.Context, string, ...any) *overlay.Future[*overlay.Result], want int64) error {
	r, err := run(ctx, numbers, want).Await(ctx)
	if err != nil {
		return err
	}
	var last int64
	for row, err := range r.Rows(ctx) {
		if err != nil {
			return fmt.Errorf("after row %d: %w", last, err)
		}
		last = row.Values()[0].(int64)
		if err := lookUp(ctx, e, last); err != nil {
			return fmt.Errorf("at row %d: %w", last, err)
		}
	}
	if last != want {
		return fmt.Errorf("%d rows, not %d", last, want)
	}
	return nil
}

// handlers runs eight loops at once.
func handlers(t *testing.T, e *overlay.Engine, run func(context.Context, string, ...any) *overlay.Future[*overlay.Result]) {
	t.Helper()
	ctx := bounded(t)
	var waits []func(testing.TB) error
	for range 8 {
		wait := start(func() (struct{}, error) { return struct{}{}, loop(ctx, e, run, 600) })
		waits = append(waits, func(t testing.TB) error {
			t.Helper()
			_, err := wait(t, patience, "a handler")
			return err
		})
	}
	for _, wait := range waits {
		if err := wait(t); err != nil {
			t.Errorf("a handler: %v", err)
		}
	}
}

func TestALoopOverAResultMakesACallPerRowOnOneLane(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	for name, run := range map[string]func(context.Context, string, ...any) *overlay.Future[*overlay.Result]{
		"QueryAsync": e.QueryAsync, "ExecuteAsync": e.ExecuteAsync,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := bounded(t)
			noError(t, "the loop", within(t, patience, "the loop", func() error { return loop(ctx, e, run, 5000) }))
		})
	}
	works(t, e)
}

func TestALoopOverAConnsResultMakesCallsOnThatConn(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	c := connect(t, e)
	ctx := bounded(t)
	noError(t, "the loop", within(t, patience, "the loop", func() error {
		r, err := c.QueryAsync(ctx, numbers, 1000).Await(ctx)
		if err != nil {
			return err
		}
		for row, err := range r.Rows(ctx) {
			if err != nil {
				return err
			}
			if _, err := c.ExecAsync(ctx, "INSERT INTO t (id) VALUES (?)", row.Values()[0]).Await(ctx); err != nil {
				return err
			}
		}
		return nil
	}))
	_, err := outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
	noError(t, "CloseAsync", err)
}

func TestHandlersThatReadAndLookUpShareFourLanes(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(4))
	handlers(t, e, e.QueryAsync)
	works(t, e)
}

func TestAllOfTenQueriesOnOneLane(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	ctx := bounded(t)
	var fs []*overlay.Future[*overlay.Result]
	for range 10 {
		fs = append(fs, e.QueryAsync(ctx, numbers, 300))
	}
	for _, r := range value(t, "All", overlay.All(fs...)) {
		if rows := value(t, "FetchAllAsync", r.FetchAllAsync(ctx)); len(rows) != 300 {
			t.Errorf("%d rows, not 300", len(rows))
		}
	}
	works(t, e)
}

// Results that nobody reads or closes hold nothing that others wait for.
func TestResultsThatNobodyReadsKeepNoLane(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	var kept []*overlay.Result
	for range 20 {
		r, err := outcome(t, soon, "QueryAsync", e.QueryAsync(bounded(t), numbers, 1000))
		noError(t, "QueryAsync", err)
		kept = append(kept, r)
	}
	works(t, e)
	if rows := value(t, "FetchAllAsync", kept[0].FetchAllAsync(bounded(t))); len(rows) != 1000 {
		t.Errorf("%d rows, not 1000", len(rows))
	}
}
