package ends

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A commit or rollback that is withdrawn leaves nothing open: the transaction is rolled
// back in its turn, before the calls that were made after it.
func TestWithdrawnEndOfATransaction(t *testing.T) {
	ways := map[string]func(*overlay.Tx, context.Context) *overlay.Future[struct{}]{
		"commit": (*overlay.Tx).CommitAsync, "rollback": (*overlay.Tx).RollbackAsync,
	}
	for name, end := range ways {
		t.Run(name+", at the call", func(t *testing.T) {
			d := onSQLite(t)
			c := d.connect(t)
			tx, err := c.BeginAsync(bg, nil).Await(bg)
			noError(t, err)
			d.do(t, c, insert1)
			ctx, cancel := context.WithCancel(bg)
			cancel()
			ended := end(tx, ctx)
			second := c.ExecAsync(bg, insert2)
			_, err = ended.Await(bg)
			d.isCancelled(t, err)
			_, err = second.Await(bg)
			d.check(t, 2, err)
			if c.InTransaction() || c.Tx() != nil {
				t.Error("a transaction is open")
			}
		})
		t.Run(name+", while it waits", func(t *testing.T) {
			d := onSQLite(t)
			c := d.connect(t)
			tx, err := c.BeginAsync(bg, nil).Await(bg)
			noError(t, err)
			d.do(t, c, insert1)
			free := make(chan struct{})
			function := overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { <-free; return 0, nil })
			ctx, cancel := context.WithCancel(bg)
			ended := end(tx, ctx)
			second := c.ExecAsync(bg, insert2)
			cancel()
			_, err = ended.Await(bg) // it does not wait for the function
			d.isCancelled(t, err)
			close(free)
			_, err = function.Await(bg)
			noError(t, err)
			_, err = second.Await(bg)
			d.check(t, 2, err)
		})
	}
	t.Run("of a savepoint", func(t *testing.T) {
		d := onSQLite(t)
		c := d.connect(t)
		outer, err := c.BeginAsync(bg, nil).Await(bg)
		noError(t, err)
		inner, err := c.BeginNestedAsync(bg).Await(bg)
		noError(t, err)
		d.do(t, c, insert1)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		_, err = inner.CommitAsync(ctx).Await(bg)
		d.isCancelled(t, err)
		d.do(t, c, insert2)
		_, err = outer.CommitAsync(bg).Await(bg)
		noError(t, err)
		d.check(t, 2, nil)
	})
}

// isCancelled checks the error of what was to end a transaction with row 1.
func (d *database) isCancelled(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
	d.check(t, 1, err)
}
