package ledger_test

import (
	"context"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// After a WithTx on a Conn whose COMMIT or statement failed with a dead connection, or was left
// without an answer, a blocking call on the same Conn is not acknowledged inside what is left of it.
func TestBlockingCallAfterWithTxOnTheSameConn(t *testing.T) {
	pause := func(*bankConn) error { time.Sleep(150 * time.Millisecond); return nil }
	for step, does := range map[string]hook{"commit": fails(driver.ErrBadConn), "executed": pause, "committed": pause, "exec": pause, "rollback": pause, "begin": pause} {
		for _, s := range singles {
			for _, ends := range []time.Duration{0, time.Microsecond, 300 * time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
				t.Run(fmt.Sprint(step, " ", s.name, " ", ends), func(t *testing.T) {
					t.Parallel()
					db := newBank("ledgerbank")
					e := db.open(t)
					c := must(t, "connect", e.ConnectAsync(background))
					db.bank.once(step, does)
					g := db.l.begin("WithTx")
					ctx, cancel := context.WithCancel(background)
					if ends > 0 {
						ctx, cancel = context.WithTimeout(background, ends)
					}
					defer cancel()
					err := g.ended(within(t, "WithTx", func() error {
						return c.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error { return g.row(ctx, c) })
					}))
					id := db.l.next(s.name)
					told := within(t, s.name, func() error { return s.exec(background, c, s.text(), id) })
					db.l.told(id, told)
					must(t, "close", c.CloseAsync(background))
					db.check(t)
					if t.Failed() {
						t.Logf("WithTx: %v; then: %v", err, told)
					}
				})
			}
		}
	}
}
