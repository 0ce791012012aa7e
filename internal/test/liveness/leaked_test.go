package liveness_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// Whoever gives up while a connection is being opened leaves none behind,
// whichever comes first.
func TestNoConnectionLeaksWhenTheContextEndsAsConnectingFinishes(t *testing.T) {
	for name, take := range map[string]func(context.Context, *overlay.Engine) error{
		"WithConn": func(ctx context.Context, e *overlay.Engine) error {
			return e.WithConn(ctx, func(context.Context, *overlay.Conn) error { return nil })
		},
		"WithTx": func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
		},
		"ConnectAsync": func(ctx context.Context, e *overlay.Engine) error {
			c, err := e.ConnectAsync(ctx).Await(ctx)
			if err != nil {
				return err
			}
			_, err = c.CloseAsync(background).Await(background)
			return err
		},
		"a call": func(ctx context.Context, e *overlay.Engine) error {
			_, err := e.ExecAsync(ctx, "affected 1").Await(ctx)
			return err
		},
		"RunCallable": func(ctx context.Context, e *overlay.Engine) error {
			return e.RunCallable(ctx, func(*sql.Conn) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			d, db, e := fakeEngine(t, drivertest.Modern, overlay.WithLanes(1))
			db.SetMaxIdleConns(0) // each round opens one
			db.SetMaxOpenConns(4)
			ended := 0
			for range 300 {
				shut := make(chan struct{})
				remove := d.On("Connector.Connect", func(drivertest.Call) error { <-shut; return nil })
				ctx, cancel := context.WithCancel(bounded(t))
				wait := start(func() (int, error) { return 1, take(ctx, e) })
				both := make(chan struct{})
				go func() { <-both; cancel() }()
				go func() { <-both; close(shut) }()
				time.Sleep(rand.N(200 * time.Microsecond))
				close(both)
				if _, err := wait(t, soon, name); err != nil {
					ended++
				}
				<-shut
				remove()
			}
			t.Logf("%d of 300 were given up", ended)
			until(t, soon, "all connections are back", func() bool { return db.Stats().InUse <= 1 }) // a lane may have one
			for range 5 {
				_, err := outcome(t, soon, "the next call", e.ExecAsync(bounded(t), "affected 1"))
				noError(t, "the next call", err)
			}
		})
	}
}
