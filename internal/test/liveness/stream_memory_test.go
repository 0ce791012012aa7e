package liveness_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

func TestAStreamReadsAheadInBytes(t *testing.T) {
	for name, query := range blobs {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t)
			c := connect(t, e)
			before := heap()
			r := value(t, "StreamAsync", e.StreamAsync(bounded(t), query))
			s := value(t, "StreamAsync", c.StreamAsync(bounded(t), query))
			atMost(t, "two streams with nothing fetched", before, 32*mib)
			for _, n := range []int{1, 60} {
				value(t, "FetchManyAsync", r.FetchManyAsync(bounded(t), n))
				value(t, "FetchManyAsync", s.FetchManyAsync(bounded(t), n))
				atMost(t, fmt.Sprintf("two streams with %d more rows fetched", n), before, 32*mib)
			}
			outcome(t, soon, "CloseAsync", r.CloseAsync(bounded(t)))
			outcome(t, soon, "CloseAsync", s.CloseAsync(bounded(t)))
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
		})
	}
}

// The first rows of a stream come before the last ones are there.
func TestAStreamsFirstRowsComeAtOnce(t *testing.T) {
	alone(t)
	e := openFile(t)
	r, err := outcome(t, soon, "StreamAsync", e.StreamAsync(bounded(t), numbers, 1_000_000_000))
	noError(t, "StreamAsync", err)
	rows, err := outcome(t, soon, "FetchManyAsync", r.FetchManyAsync(bounded(t), 10))
	if err != nil || len(rows) != 10 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	_, err = outcome(t, soon, "CloseAsync", r.CloseAsync(bounded(t)))
	noError(t, "CloseAsync", err)
}

func TestAResultAboveTheLimitIsRefused(t *testing.T) {
	const limit = 4 * mib
	for name, query := range blobs {
		t.Run(name, func(t *testing.T) {
			alone(t)
			e := openFile(t, overlay.WithLanes(1), overlay.WithResultLimit(limit))
			c := connect(t, e)
			before := heap()
			for what, f := range map[string]*overlay.Future[*overlay.Result]{
				"Engine.QueryAsync":   e.QueryAsync(bounded(t), query),
				"Engine.ExecuteAsync": e.ExecuteAsync(bounded(t), query),
				"Conn.QueryAsync":     c.QueryAsync(bounded(t), query),
			} {
				_, err := outcome(t, patience, what, f)
				wantError(t, what, err, overlay.ErrResultTooLarge)
				if err != nil && !strings.Contains(err.Error(), "StreamAsync") {
					t.Errorf("%s: the error does not name StreamAsync: %v", what, err)
				}
			}
			keeps(t, "after refused results", before, 16*mib)
			works(t, e)
			outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
		})
	}
}

func TestAResultBelowTheLimitIsWhole(t *testing.T) {
	alone(t)
	e := openFile(t, overlay.WithResultLimit(4*mib))
	r := value(t, "QueryAsync", e.QueryAsync(bounded(t), numbers, 5000))
	if rows := value(t, "FetchAllAsync", r.FetchAllAsync(bounded(t))); len(rows) != 5000 {
		t.Errorf("%d rows, not 5000", len(rows))
	}
}
