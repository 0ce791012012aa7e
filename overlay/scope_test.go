//go:build cgo

package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// WithTx whose context ends as the transaction begins leaves none open, whatever the
// dispatcher does meanwhile.
func TestWithTxLeavesNoTransactionOpen(t *testing.T) {
	loop := make(chan func(), 1000)
	done := make(chan struct{})
	go func() {
		for fn := range loop {
			fn()
		}
		close(done)
	}()
	e := oneLane(t, overlay.WithDispatcher(func(fn func()) { loop <- fn }))
	c := must(t, e.ConnectAsync(background))
	open := 0
	for i := range 3000 {
		ctx, cancel := context.WithTimeout(background, time.Duration(1+i%60)*time.Microsecond)
		err := c.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
		cancel()
		if errors.Is(err, overlay.ErrInTransaction) {
			open++
		}
	}
	must(t, c.CloseAsync(background))
	close(loop)
	<-done
	if open > 0 {
		t.Errorf("%d of 3000 WithTx, one after another on one Conn, found a transaction open that WithTx had left", open)
	}
}

// However deep scopes are nested, a call in them that ignores its deadline is waited for once.
func TestDeadlinesOfScopesDoNotAddUp(t *testing.T) {
	e := oneLane(t)
	gate := make(chan struct{})
	defer close(gate)
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	var deeper func(ctx context.Context, c *overlay.Conn, depth int) error
	deeper = func(ctx context.Context, c *overlay.Conn, depth int) error {
		if depth == 0 {
			return second(overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) { <-gate; return 0, nil }).Await(ctx))
		}
		return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error { return deeper(ctx, c, depth-1) })
	}
	start := time.Now()
	err := e.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error { return deeper(ctx, c, 10) })
	wantError(t, err, context.DeadlineExceeded)
	if took := time.Since(start); took > 700*time.Millisecond { // 1.2 s if each level waited
		t.Errorf("WithTx returned %v after its start, with a deadline of 50ms", took)
	}
}
