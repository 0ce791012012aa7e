package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
)

// A function that has ended, and its context, are garbage, though its sql.Conn was not closed
// and the connection goes on.
func TestFunctionsAreForgotten(t *testing.T) {
	d := onSQLite(t)
	conn := d.connect(t)
	type key struct{}
	var freed atomic.Int64
	const n = 50
	for range n {
		h := &struct{ b []byte }{make([]byte, 1<<10)}
		runtime.AddCleanup(h, func(int) { freed.Add(1) }, 0)
		_, err := overlay.RunInThread(context.WithValue(bg, key{}, h), conn, func(ctx context.Context, c *sql.Conn) (int, error) {
			h.b[0] = 1
			var n int
			err := c.QueryRowContext(ctx, "SELECT 1").Scan(&n)
			return n, err
		}).Await(bg)
		noError(t, err)
	}
	for limit := time.Now().Add(10 * time.Second); freed.Load() < n-2 && time.Now().Before(limit); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	if kept := n - freed.Load(); kept > 2 {
		t.Errorf("a Conn keeps %d functions that have ended", kept)
	}
}

// A driver whose calls end their goroutine.
type exitConnector struct{ nestConnector }

func (exitConnector) Connect(context.Context) (driver.Conn, error) { return exitConn{}, nil }

type exitConn struct{ nestConn }

func (exitConn) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	runtime.Goexit()
	return nil, nil
}

// The thread dies in a call that is not its lane's. Nothing of the functions before is left.
func TestAThreadDiesAfterAFunction(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	db := aio.OpenDB(exitConnector{})
	e := overlay.New(db)
	c, err := e.ConnectAsync(bg).Await(bg)
	noError(t, err)
	_, err = overlay.RunInThread(bg, c, func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(bg)
	noError(t, err)
	if _, err := c.SyncConn().ExecContext(bg, "INSERT"); err == nil {
		t.Error("a call has ended its goroutine, and succeeded")
	}
	c.CloseAsync(bg).Await(bg)
	e.Shutdown(limit(t))
	db.Close()
	if err := goleak.Find(ignore); err != nil {
		t.Error(err)
	}
}
