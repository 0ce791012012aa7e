package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// Calls that have done nothing, and are to be made elsewhere, are stopped just before their
// lane makes them wait again: they do not, since nothing would stop them there.

func TestStopBeforeACallIsPassedOn(t *testing.T) {
	e, _ := withWriter(t)
	for name, stop := range map[string]func(f *overlay.Future[int], end func()){
		"cancel":  func(f *overlay.Future[int], _ func()) { f.Cancel() },
		"context": func(_ *overlay.Future[int], end func()) { end() },
	} {
		t.Run(name, func(t *testing.T) {
			noError(t, e.WithTx(background, nil, func(context.Context, *overlay.Conn) error { // has the turn
				itself := make(chan *overlay.Future[int], 1)
				of, end := context.WithCancel(background)
				defer end()
				f := overlay.RunInThread(of, e, func(ctx context.Context, c *sql.Conn) (int, error) {
					_, err := c.ExecContext(ctx, "INSERT INTO t (v) VALUES ('x')")
					stop(<-itself, end)
					<-ctx.Done()
					return 0, err
				})
				itself <- f
				within(t, "the end of a call that was stopped before it was passed on", f.Done())
				wantError(t, failure(t, f), context.Canceled)
				return nil
			}))
			must(t, e.ExecAsync(background, "SELECT 1"))
		})
	}
	if got := keys(t, e); len(got) > 0 {
		t.Errorf("the table has %v", got)
	}
}

func TestStopBeforeACallIsMadeAgain(t *testing.T) {
	d := newScripted()
	itself := make(chan *overlay.Future[int], 1)
	made, end := 0, make(chan struct{})
	d.On("Conn.QueryContext", func(drivertest.Call) error {
		if made++; made == 1 {
			(<-itself).Cancel()
			return driver.ErrBadConn
		}
		<-end
		return nil
	})
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	defer e.Shutdown(background)
	defer close(end)
	f := overlay.Scalar[int](background, e, "noop")
	itself <- f
	within(t, "the end of a call that was stopped before it was made again", f.Done())
	if err := failure(t, f); made != 1 {
		t.Errorf("made %d times: %v", made, err)
	}
}
