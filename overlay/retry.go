package overlay

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// retryAttempts bounds RetryTx: together with the pauses, some 12 seconds,
	// in which a cluster notices that it has lost a node.
	retryAttempts = 20
	firstPause    = 5 * time.Millisecond
	longestPause  = time.Second
)

// RetryTx is WithTx, repeated in a new transaction, and on another connection if need
// be, while it fails for a reason that passes: a deadlock, a conflict with others, a
// lock that is taken, a node that is lost or not ready. fn may be called up to 20 times.
// It must do nothing that a rollback does not undo. When ctx ends in a pause, the error
// is ctx's joined with the last one.
//
// If it is unknown whether the transaction was committed, the error wraps
// ErrOutcomeUnknown, and nothing is repeated.
func (e *Engine) RetryTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error) error {
	return retry(ctx, pause, func() error { return e.WithTx(ctx, opts, fn) })
}

func retry(ctx context.Context, pause func(context.Context, time.Duration) error, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || attempt == retryAttempts || !passes(err) {
			return err
		}
		if ended := pause(ctx, pauseAfter(attempt)); ended != nil {
			return errors.Join(ended, err)
		}
	}
}

// pauseAfter is random, lest those who were in each other's way meet again.
func pauseAfter(attempt int) time.Duration {
	d := min(firstPause<<(attempt-1), longestPause)
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
