package ends

import (
	"context"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// texts end a transaction by DDL, on a table that somebody uses.
var texts = map[string]bool{ // whether they are queried
	"ALTER TABLE u ADD a INTEGER":                     false,
	insert2 + "; ALTER TABLE u ADD a INTEGER":         false,
	"SELECT 1; ALTER TABLE u ADD a INTEGER":           true,
	"EXECUTE IMMEDIATE 'ALTER TABLE u ADD a INTEGER'": false,
	"LOCK TABLES u WRITE":                             false,
	"/*M! ALTER TABLE u ADD a INTEGER */":             false,
}

// DDL has committed what came before as it fails, or is stopped: with its own call's
// context, or with that of the whole transaction.
func TestWithTxWhoseDDLFails(t *testing.T) {
	const late = 100 * time.Millisecond
	for text, queried := range texts {
		for how, limits := range map[string][2]time.Duration{
			"waits for a lock in vain": {time.Minute, time.Minute},
			"is cancelled":             {time.Minute, late},
			"is cancelled with all":    {late, time.Minute},
		} {
			t.Run(text+"/"+how, func(t *testing.T) {
				d := onMariaDB(t)
				d.lockU(t)
				ctx, cancel := context.WithTimeout(bg, limits[0])
				defer cancel()
				d.check(t, 1, d.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) (err error) {
					d.do(t, c, "SET lock_wait_timeout = 1")
					d.do(t, c, insert1)
					ctx, cancel := context.WithTimeout(ctx, limits[1])
					defer cancel()
					if queried {
						_, err = c.QueryAsync(ctx, text).Await(ctx)
					} else {
						_, err = c.ExecAsync(ctx, text).Await(ctx)
					}
					return err
				}))
			})
		}
	}
}

// So also if ROLLBACK is not answered before the context's end.
func TestWithTxWhoseRollbackStalls(t *testing.T) {
	for name, text := range map[string]string{
		"DDL fails":        "CREATE TABLE u (k INTEGER)",
		"DDL is cancelled": "ALTER TABLE u ADD a INTEGER",
		"DDL succeeds":     "CREATE TABLE w (k INTEGER)",
	} {
		t.Run(name, func(t *testing.T) {
			d := onMariaDB(t)
			if name == "DDL is cancelled" {
				d.lockU(t)
			}
			ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
			defer cancel()
			d.check(t, 1, d.slow(t, "ROLLBACK", time.Second).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				d.do(t, c, insert1)
				_, err := c.ExecAsync(ctx, text).Await(ctx)
				return err
			}))
		})
	}
}
