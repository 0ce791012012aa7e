package overlay

import (
	"context"
	"database/sql/driver"
	"errors"
	"testing"
	"time"
)

func TestRetryEndsAndWaitsLonger(t *testing.T) {
	var pauses []time.Duration
	wait := func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}
	n := 0
	err := newRetrying(nil).run(context.Background(), wait, func() error { n++; return driver.ErrBadConn })
	if n != retryAttempts || err != driver.ErrBadConn {
		t.Errorf("%d attempts, %v", n, err)
	}
	if first, last := pauses[0], pauses[len(pauses)-1]; first > firstPause || last < longestPause/2 || last > longestPause {
		t.Errorf("pauses from %v to %v", first, last)
	}
}

func TestRetryKeepsTheErrorThatItCouldNotWaitFor(t *testing.T) {
	wait := func(context.Context, time.Duration) error { return context.Canceled }
	err := newRetrying(nil).run(context.Background(), wait, func() error { return driver.ErrBadConn })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, driver.ErrBadConn) {
		t.Error(err)
	}
}

func TestRetryOptions(t *testing.T) {
	for _, c := range []struct {
		options               []RetryOption
		attempts              int
		first, last, lastHalf time.Duration
	}{
		{nil, 20, firstPause, longestPause, longestPause / 2},
		{[]RetryOption{nil, WithAttempts(3)}, 3, firstPause, 2 * firstPause, firstPause},
		{[]RetryOption{WithAttempts(0)}, 1, 0, 0, 0},
		{[]RetryOption{WithAttempts(-1), WithAttempts(2)}, 2, firstPause, firstPause, firstPause / 2},
		{[]RetryOption{WithAttempts(200), WithPauses(time.Hour, 1<<63-1)}, 200, time.Hour, 1<<63 - 1, 1 << 61},
		{[]RetryOption{WithAttempts(9), WithPauses(time.Hour, time.Minute)}, 9, time.Hour, time.Hour, time.Hour / 2},
		{[]RetryOption{WithAttempts(9), WithPauses(0, 0)}, 9, 0, 0, 0},
		{[]RetryOption{WithAttempts(9), WithPauses(0, time.Hour)}, 9, 0, 0, 0},
		{[]RetryOption{WithAttempts(9), WithPauses(-time.Hour, -1)}, 9, 0, 0, 0},
		{[]RetryOption{WithAttempts(9), WithPauses(1, 1)}, 9, 1, 1, 0},
	} {
		pauses := []time.Duration{}
		wait := func(_ context.Context, d time.Duration) error {
			pauses = append(pauses, d)
			return nil
		}
		n := 0
		err := newRetrying(c.options).run(context.Background(), wait, func() error { n++; return driver.ErrBadConn })
		if n != c.attempts || len(pauses) != n-1 || err != driver.ErrBadConn {
			t.Errorf("%d attempts and %d pauses, want %d; %v", n, len(pauses), c.attempts, err)
		} else if n > 1 {
			first, last := pauses[0], pauses[n-2]
			if first < c.first/2 || first > c.first || last < c.lastHalf || last > c.last {
				t.Errorf("%d attempts: pauses from %v to %v, want %v to %v", n, first, last, c.first, c.last)
			}
		}
	}
}

// The hook sees each failure that is followed by a repeat, and can stop.
func TestRetryHook(t *testing.T) {
	boom := errors.New("boom")
	for _, stopAfter := range []int{99, 2} {
		n, waited := 0, 0
		wait := func(context.Context, time.Duration) error { waited++; return nil }
		var seen []int
		hook := func(ctx context.Context, attempts int, err error) error {
			seen = append(seen, attempts)
			if err != driver.ErrBadConn || attempts != n || attempts != waited {
				t.Errorf("hook(%d, %v) after %d attempts and %d pauses", attempts, err, n, waited)
			}
			if attempts == stopAfter {
				return boom
			}
			return nil
		}
		r := newRetrying([]RetryOption{WithAttempts(4), WithRetryHook(hook)})
		err := r.run(context.Background(), wait, func() error { n++; return driver.ErrBadConn })
		stopped := stopAfter == 2
		if want := min(stopAfter, 3); len(seen) != want || errors.Is(err, boom) != stopped || !errors.Is(err, driver.ErrBadConn) {
			t.Errorf("called after %v, %v", seen, err)
		}
		if want := min(stopAfter, 4); n != want {
			t.Errorf("%d attempts, want %d", n, want)
		}
	}
}

func TestRetryWithoutPausesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	err := newRetrying([]RetryOption{WithPauses(0, 0)}).run(ctx, pause, func() error { n++; cancel(); return driver.ErrBadConn })
	if n != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, driver.ErrBadConn) {
		t.Errorf("%d attempts, %v", n, err)
	}
}

// A context that ends in the hook ends the repeats, and the error keeps the last one's.
func TestRetryHookInWhichTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	last := errors.New("database is locked")
	r := newRetrying([]RetryOption{WithPauses(0, 0), WithRetryHook(func(context.Context, int, error) error { cancel(); return nil })})
	calls := 0
	err := r.run(ctx, pause, func() error { calls++; return last })
	if calls != 1 || !errors.Is(err, context.Canceled) || !errors.Is(err, last) {
		t.Errorf("%d calls, %v", calls, err)
	}
}
