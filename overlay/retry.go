package overlay

import (
	"cmp"
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

// A RetryOption configures one RetryTx.
type RetryOption func(*retrying)

// retrying is how a transaction is repeated.
type retrying struct {
	attempts       int
	first, longest time.Duration
	hook           func(ctx context.Context, attempts int, err error) error // may be nil
}

// WithAttempts sets how often RetryTx calls its function at most, the first time
// included. The default is 20. Values below 1 mean 1.
func WithAttempts(n int) RetryOption { return func(r *retrying) { r.attempts = max(n, 1) } }

// WithPauses sets how long RetryTx waits before it repeats: about first, and twice as
// long each time, up to longest. A pause is between half of that and all of it, at random.
// The defaults are 5 ms and 1 s. With first 0 or less there are no pauses; a longest
// below first means first.
func WithPauses(first, longest time.Duration) RetryOption {
	first = max(first, 0)
	return func(r *retrying) { r.first, r.longest = first, max(first, longest) }
}

// WithRetryHook has RetryTx call hook before each repeat, after the pause, in the caller's
// goroutine. No transaction is open then. hook gets the number of attempts made so far and
// the last one's error. It may count and log, or put back what the function has changed in
// memory. If it returns an error, nothing is repeated, and RetryTx returns that joined
// with the last one.
func WithRetryHook(hook func(ctx context.Context, attempts int, err error) error) RetryOption {
	return func(r *retrying) { r.hook = hook }
}

// RetryTx is WithTx, repeated in a new transaction, and on another connection if need
// be, while it fails for a reason that passes: a deadlock, a conflict with others, a
// lock that is taken, a node that is lost or not ready. fn may be called up to 20 times,
// or as the options say. It must do nothing that a rollback does not undo. When ctx ends in
// a pause, the error is ctx's joined with the last one.
//
// If it is unknown whether the transaction was committed, the error wraps
// ErrOutcomeUnknown, and nothing is repeated.
func (e *Engine) RetryTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error, options ...RetryOption) error {
	return newRetrying(options).run(ctx, pause, func() error { return e.WithTx(ctx, opts, fn) })
}

func newRetrying(options []RetryOption) *retrying {
	r := &retrying{attempts: retryAttempts, first: firstPause, longest: longestPause}
	for _, o := range options {
		if o != nil {
			o(r)
		}
	}
	return r
}

func (r *retrying) run(ctx context.Context, pause func(context.Context, time.Duration) error, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || attempt >= r.attempts || !passes(err) {
			return err
		}
		if ended := pause(ctx, r.pauseAfter(attempt)); ended != nil {
			return errors.Join(ended, err)
		}
		if r.hook == nil {
			continue
		}
		if stop := cmp.Or(r.hook(ctx, attempt, err), ctx.Err()); stop != nil {
			return errors.Join(stop, err)
		}
	}
}

// pauseAfter is random, so that those who were in each other's way do not meet again.
func (r *retrying) pauseAfter(attempt int) time.Duration {
	d := r.first
	for i := 1; i < attempt && d < r.longest; i++ {
		d += min(d, r.longest-d)
	}
	if d < 2 { // rand.N wants more than 0
		return d
	}
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
