package liveness_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestALoopOverAStreamMakesACallPerRowOnOneLane(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	ctx := bounded(t)
	noError(t, "the loop", within(t, patience, "the loop", func() error { return loop(ctx, e, e.StreamAsync, 5000) }))
	works(t, e)
}

func TestALoopOverAConnsStreamMakesEngineCalls(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	c := connect(t, e)
	ctx := bounded(t)
	noError(t, "the loop", within(t, patience, "the loop", func() error { return loop(ctx, e, c.StreamAsync, 5000) }))
	_, err := outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
	noError(t, "CloseAsync", err)
}

// On the stream's own connection a call may be refused, but it has to return.
func TestACallOnAStreamsOwnConnReturns(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	c := connect(t, e)
	ctx := bounded(t)
	r := value(t, "StreamAsync", c.StreamAsync(ctx, numbers, 5000))
	var read int
	noError(t, "the loop", within(t, patience, "the loop", func() error {
		for _, err := range r.Rows(ctx) {
			if err != nil {
				return err
			}
			if read++; read%500 == 0 {
				overlay.Scalar[int](ctx, c, "SELECT 1").Await(ctx)
			}
		}
		return ctx.Err()
	}))
	if read != 5000 {
		t.Errorf("%d rows, not 5000", read)
	}
	_, err := outcome(t, soon, "CloseAsync", c.CloseAsync(ctx))
	noError(t, "CloseAsync", err)
}

func TestHandlersThatStreamAndLookUpShareFourLanes(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(4))
	handlers(t, e, e.StreamAsync)
	works(t, e)
}

// A stream's connection is its own: streams that nobody reads keep no lane.
func TestStreamsThatNobodyReadsKeepNoLane(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	var open []*overlay.Result
	for range 5 {
		open = append(open, value(t, "StreamAsync", e.StreamAsync(bounded(t), numbers, 100_000)))
	}
	works(t, e)
	for _, r := range open {
		_, err := outcome(t, soon, "CloseAsync", r.CloseAsync(bounded(t)))
		noError(t, "CloseAsync", err)
	}
	works(t, e)
}

// Whatever ends a stream gives its connection back.
func TestAStreamIsEndedByWhateverComesFirst(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithLanes(1))
	ends := map[string]func(context.Context, context.CancelFunc, *overlay.Result) error{
		"reading": func(ctx context.Context, _ context.CancelFunc, r *overlay.Result) error {
			rows, err := r.FetchAllAsync(ctx).Await(ctx)
			if err == nil && len(rows) != 50_000 {
				err = fmt.Errorf("%d rows, not 50000", len(rows))
			}
			return err
		},
		"CloseAsync": func(ctx context.Context, _ context.CancelFunc, r *overlay.Result) error {
			_, err := r.CloseAsync(ctx).Await(ctx)
			return err
		},
		"leaving the loop": func(ctx context.Context, _ context.CancelFunc, r *overlay.Result) error {
			for range r.Rows(ctx) {
				break
			}
			return nil
		},
		"the loop's context": func(_ context.Context, _ context.CancelFunc, r *overlay.Result) error {
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			var last error
			for _, err := range r.Rows(ctx) {
				cancel()
				last = err
			}
			if last != context.Canceled {
				return fmt.Errorf("the loop ended with %v", last)
			}
			return nil
		},
		"its own context": func(_ context.Context, cancel context.CancelFunc, _ *overlay.Result) error {
			cancel()
			return nil
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(bounded(t))
			defer cancel()
			r := value(t, "StreamAsync", e.StreamAsync(ctx, numbers, 50_000))
			noError(t, name, within(t, patience, name, func() error { return end(ctx, cancel, r) }))
			until(t, soon, "the stream's connection is free", func() bool { return e.SyncDB().Stats().InUse <= 1 })
		})
	}
	works(t, e)
}
