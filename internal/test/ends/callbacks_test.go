package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// failing opens no connection while off: each attempt meets gate twice.
type failing struct {
	driver.Driver
	gate chan struct{}
	off  atomic.Bool
}

func (f *failing) Open(dsn string) (driver.Conn, error) {
	if f.off.Load() {
		f.gate <- struct{}{}
		<-f.gate
		return nil, errors.New("no connection")
	}
	return f.Driver.Open(dsn)
}

var registered atomic.Int32

// What a callback of a call does that is refused since no connection could be opened keeps no
// other call from being made.
func TestCallbackAsNoConnectionCanBeOpened(t *testing.T) {
	ctx := reflectguard.MayBlock(bg)
	for name, callback := range map[string]func(*overlay.Engine){
		"Goexit": func(*overlay.Engine) { runtime.Goexit() },
		"waits":  func(e *overlay.Engine) { e.ExecAsync(ctx, "CREATE TABLE c (k INTEGER)").Await(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			f := &failing{Driver: &sqlite3.SQLiteDriver{}, gate: make(chan struct{})}
			driver := fmt.Sprint("failing", registered.Add(1))
			aio.Register(driver, f)
			e, err := overlay.Open(driver, filepath.Join(t.TempDir(), "a.db"), overlay.WithLanes(1))
			noError(t, err)
			f.off.Store(true)
			first := e.ExecAsync(bg, "CREATE TABLE a (k INTEGER)")
			first.OnDone(func(sql.Result, error) { callback(e) })
			second := e.ExecAsync(bg, "CREATE TABLE b (k INTEGER)")
			<-f.gate
			f.off.Store(false) // only the first attempt fails
			close(f.gate)
			_, err = second.Await(limit(t))
			noError(t, err)
			noError(t, e.Shutdown(limit(t)))
		})
	}
}

// FirstAsync closes its stream, also if its callback ends the goroutine in which the rows have
// come.
func TestGoexitAsAFetchIsServed(t *testing.T) {
	driver := fmt.Sprint("slowrows", registered.Add(1))
	aio.Register(driver, &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("nap", func(i int64) int64 {
			switch i {
			case 2:
				time.Sleep(500 * time.Microsecond)
			case 3:
				time.Sleep(50 * time.Millisecond)
			}
			return i
		}, false)
	}})
	for range 10 {
		e, err := overlay.Open(driver, filepath.Join(t.TempDir(), "a.db"), overlay.WithLanes(1))
		noError(t, err)
		r, err := e.StreamAsync(bg, "SELECT nap(column1) FROM (VALUES (1), (2), (3), (4), (5))").Await(bg)
		noError(t, err)
		_, err = r.FetchOneAsync(bg).Await(bg)
		noError(t, err)
		f := r.FirstAsync(bg)
		told := make(chan struct{})
		go func() {
			defer close(told)
			f.OnDone(func(overlay.Row, error) { runtime.Goexit() })
		}()
		<-told
		<-f.Done()
		noError(t, e.Shutdown(limit(t)))
		runtime.KeepAlive(r)
	}
}

// A callback of All or Any that ends its goroutine does not keep the others from being
// cancelled.
func TestGoexitInACallbackOfAll(t *testing.T) {
	d := onSQLite(t)
	for name, combine := range map[string]func(slow, quick *overlay.Future[int]) func(func()){
		"All": func(slow, quick *overlay.Future[int]) func(func()) {
			f := overlay.All(slow, quick)
			return func(fn func()) { f.OnDone(func([]int, error) { fn() }) }
		},
		"Any": func(slow, quick *overlay.Future[int]) func(func()) {
			f := overlay.Any(slow, quick)
			return func(fn func()) { f.OnDone(func(int, error) { fn() }) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, other := d.connect(t), d.connect(t)
			free := make(chan struct{})
			slow := overlay.RunInThread(bg, c, func(ctx context.Context, _ *sql.Conn) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
			quick := overlay.RunInThread(bg, other, func(context.Context, *sql.Conn) (int, error) {
				<-free
				if name == "All" {
					return 0, errMine
				}
				return 1, nil
			})
			combine(slow, quick)(runtime.Goexit)
			close(free)
			if _, err := slow.Await(limit(t)); !errors.Is(err, context.Canceled) {
				t.Errorf("%v, want context.Canceled", err)
			}
		})
	}
}
