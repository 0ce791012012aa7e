package mysql

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/proxy"
)

// What the server says while connecting is waited for no longer than the
// connection is: the session is asked who it is under Connect's context.
func TestOpeningStalls(t *testing.T) {
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"deadline": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 300*time.Millisecond)
		},
		"cancelled": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(300*time.Millisecond, cancel)
			return ctx, cancel
		},
	} {
		t.Run(name, func(t *testing.T) {
			front, through := proxy.Before(t, testConfig(t))
			c := connector(t, through)
			ctx, cancel := end()
			defer cancel()
			inner, err := c.Connect(ctx)
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				t.Skip("the machine is too busy to connect in time")
			}
			if err != nil {
				t.Fatal(err)
			}
			defer inner.Close()
			front.Every((*proxy.Conn).Stall)
			start := time.Now()
			if i := (adapter{}).InterrupterContext(ctx, inner, c); i != nil {
				t.Error("the server has not said who it is")
			}
			if took := time.Since(start); took > openTimeout/2 {
				t.Errorf("took %v", took)
			}
			if !connOf(inner).broken() {
				t.Error("the question may still be answered")
			}
		})
	}
}
