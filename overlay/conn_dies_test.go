package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// A connection that dies in a transaction, seen by database/sql in a function on the
// thread, can be closed.
func TestConnDiesInATransaction(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	f := overlay.RunInThread(background, c, func(_ context.Context, sc *sql.Conn) (int, error) {
		return 0, sc.Raw(func(any) error { return driver.ErrBadConn })
	})
	wantError(t, failure(t, f), driver.ErrBadConn)
	must(t, c.CloseAsync(background))
	must(t, e.ExecAsync(background, "insert into t values (1)"))
}

// A connection whose thread has ended in a transaction can be closed.
func TestGoexitInATransaction(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	f := overlay.RunInThread(background, c, func(context.Context, *sql.Conn) (int, error) {
		runtime.Goexit()
		return 0, nil
	})
	if _, err := f.Await(background); err != threadpin.ErrGoexit {
		t.Fatal(err)
	}
	must(t, c.CloseAsync(background))
	must(t, e.ExecAsync(background, "insert into t values (1)"))
}

// All calls end whose thread ends in the innermost one.
func TestGoexitInACallInsideACall(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	inner := make(chan *overlay.Future[int], 1)
	outer := overlay.RunInThread(background, c, func(ctx context.Context, _ *sql.Conn) (int, error) {
		inner <- overlay.RunInThread(ctx, c, func(context.Context, *sql.Conn) (int, error) {
			runtime.Goexit()
			return 0, nil
		})
		return 0, nil
	})
	within(t, "the end of the outer call", outer.Done())
	if _, err := outer.Await(background); err != threadpin.ErrGoexit {
		t.Fatal(err)
	}
	must(t, c.CloseAsync(background))
}
