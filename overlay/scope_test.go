//go:build cgo

package overlay_test

import (
	"context"
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
