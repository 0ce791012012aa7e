package mysql

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What the server says while connecting is waited for no longer than the
// connection is: the session is asked who it is under Connect's context.
func TestOpeningStalls(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"Connect's context": 0, "Config.Timeout": time.Minute} {
		t.Run(name, func(t *testing.T) {
			front, through := startProxy(t, testConfig(t))
			through.Timeout = timeout
			c := connector(t, through)
			ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
			defer cancel()
			inner, err := c.Connect(ctx)
			if err != nil {
				if errors.Is(err, context.DeadlineExceeded) {
					t.Skip("the machine is too busy to connect in time")
				}
				t.Fatal(err)
			}
			front.set(func(p *proxy) { close(p.hang) })
			start := time.Now()
			if i := (adapter{}).Interrupter(inner, c); i != nil {
				t.Error("the server has not said who it is")
			}
			if took := time.Since(start); took > openTimeout/2 {
				t.Errorf("took %v", took)
			}
			if !connOf(inner).broken() {
				t.Error("the question may still be answered")
			}
			_ = inner.Close()
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		front, through := startProxy(t, testConfig(t))
		c := connector(t, through)
		ctx, cancel := context.WithCancel(context.Background())
		inner := must(c.Connect(ctx))(t)
		front.set(func(p *proxy) { close(p.hang) })
		time.AfterFunc(10*time.Millisecond, cancel)
		start := time.Now()
		if i := (adapter{}).Interrupter(inner, c); i != nil {
			t.Error("the server has not said who it is")
		}
		if took := time.Since(start); took > openTimeout/2 {
			t.Errorf("took %v", took)
		}
		_ = inner.Close()
	})
}
