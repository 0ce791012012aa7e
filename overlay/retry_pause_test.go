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
	err := retry(context.Background(), wait, func() error { n++; return driver.ErrBadConn })
	if n != retryAttempts || err != driver.ErrBadConn {
		t.Errorf("%d attempts, %v", n, err)
	}
	if first, last := pauses[0], pauses[len(pauses)-1]; first > firstPause || last < longestPause/2 || last > longestPause {
		t.Errorf("pauses from %v to %v", first, last)
	}
}

func TestRetryKeepsTheErrorThatItCouldNotWaitFor(t *testing.T) {
	wait := func(context.Context, time.Duration) error { return context.Canceled }
	err := retry(context.Background(), wait, func() error { return driver.ErrBadConn })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, driver.ErrBadConn) {
		t.Error(err)
	}
}
