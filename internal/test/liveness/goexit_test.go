package liveness_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/threadpin"
)

// descriptors returns how many descriptors of this process lead to a file whose
// name begins with path: an SQLite database, its journal, its shared memory.
func descriptors(t testing.TB, path string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("counting descriptors needs /proc: ", err)
	}
	for _, fd := range all {
		to, _ := os.Readlink(filepath.Join("/proc/self/fd", fd.Name()))
		if strings.HasPrefix(to, path) {
			n++
		}
	}
	return n
}

// cpu returns the processor time that the process has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	noError(t, "getrusage", syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// quiet fails the test if the process uses processor time while nothing runs.
func quiet(t testing.TB) {
	t.Helper()
	const length = 500 * time.Millisecond
	for try := 1; ; try++ {
		before := cpu(t)
		time.Sleep(length)
		used := cpu(t) - before
		switch {
		case used < length/4:
			return
		case try == 5:
			t.Fatalf("%v of processor time in %v with nothing to do\n%s", used, length, stacks())
		}
	}
}

// goexits are the functions that end their goroutine. Each returns after that.
var goexits = map[string]func(t *testing.T, e *overlay.Engine){
	"a function on an Engine": func(t *testing.T, e *overlay.Engine) {
		_, err := outcome(t, soon, "the function", overlay.RunInThread(bounded(t), e, goexit))
		wantError(t, "the function", err, threadpin.ErrGoexit)
	},
	"a function on a Conn": func(t *testing.T, e *overlay.Engine) {
		c := connect(t, e)
		_, err := outcome(t, soon, "the function", overlay.RunInThread(bounded(t), c, goexit))
		wantError(t, "the function", err, threadpin.ErrGoexit)
		outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
	},
	"a function with a transaction": func(t *testing.T, e *overlay.Engine) {
		_, err := outcome(t, soon, "the function", overlay.RunInThread(bounded(t), e, func(ctx context.Context, c *sql.Conn) (int, error) {
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return 0, err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO t (id) VALUES (1)"); err != nil {
				return 0, err
			}
			return goexit(ctx, c)
		}))
		wantError(t, "the function", err, threadpin.ErrGoexit)
	},
	"a function in a Conn's transaction": func(t *testing.T, e *overlay.Engine) {
		c := connect(t, e)
		value(t, "BeginAsync", c.BeginAsync(bounded(t), nil))
		value(t, "an insert", c.ExecAsync(bounded(t), "INSERT INTO t (id) VALUES (1)"))
		_, err := outcome(t, soon, "the function", overlay.RunInThread(bounded(t), c, goexit))
		wantError(t, "the function", err, threadpin.ErrGoexit)
		outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
	},
	"a function with rows": func(t *testing.T, e *overlay.Engine) {
		_, err := outcome(t, soon, "the function", overlay.RunInThread(bounded(t), e, func(ctx context.Context, c *sql.Conn) (int, error) {
			rows, err := c.QueryContext(ctx, numbers, 5000)
			if err != nil {
				return 0, err
			}
			rows.Next()
			return goexit(ctx, c)
		}))
		wantError(t, "the function", err, threadpin.ErrGoexit)
	},
	"WithTx": func(t *testing.T, e *overlay.Engine) {
		within(t, soon, "WithTx", func() error {
			return e.WithTx(bounded(t), nil, func(ctx context.Context, c *overlay.Conn) error {
				if _, err := c.ExecAsync(ctx, "INSERT INTO t (id) VALUES (1)").Await(ctx); err != nil {
					return err
				}
				runtime.Goexit()
				return nil
			})
		})
	},
	"WithConn": func(t *testing.T, e *overlay.Engine) {
		within(t, soon, "WithConn", func() error {
			return e.WithConn(bounded(t), func(context.Context, *overlay.Conn) error { runtime.Goexit(); return nil })
		})
	},
	"RunCallable": func(t *testing.T, e *overlay.Engine) {
		within(t, soon, "RunCallable", func() error {
			return e.RunCallable(bounded(t), func(*sql.Conn) error { runtime.Goexit(); return nil })
		})
	},
	"Raw": func(t *testing.T, e *overlay.Engine) {
		err := within(t, soon, "Raw", func() error {
			c, err := e.SyncDB().Conn(bounded(t))
			if err != nil {
				return err
			}
			defer c.Close()
			return aio.Raw(bounded(t), c, func(driver.Conn) error { runtime.Goexit(); return nil })
		})
		if err == nil {
			t.Error("Raw: no error after Goexit")
		}
	},
	"OnDone": func(t *testing.T, e *overlay.Engine) {
		shut, openGate := gate(t)
		started, fn := deaf(shut)
		f := overlay.RunInThread(bounded(t), e, fn)
		finishes(t, patience, "the function starts", started)
		called := make(chan struct{})
		f.OnDone(func(int, error) { close(called); runtime.Goexit() })
		openGate()
		value(t, "the function", f)
		finishes(t, soon, "the callback", called)
	},
	"Then": func(t *testing.T, e *overlay.Engine) {
		shut, openGate := gate(t)
		started, fn := deaf(shut)
		f := overlay.RunInThread(bounded(t), e, fn)
		finishes(t, patience, "the function starts", started)
		then := overlay.Then(f, func(int) (int, error) { runtime.Goexit(); return 0, nil })
		openGate()
		_, err := outcome(t, soon, "Then", then)
		if err == nil {
			t.Error("Then: no error after Goexit")
		}
	},
}

func goexit(context.Context, *sql.Conn) (int, error) {
	runtime.Goexit()
	return 0, nil
}

// An engine outlives functions that end their goroutine, on more connections than
// it may open, and nothing is left of those: no descriptor, no lock, no spinning.
func TestAnEngineOutlivesGoexit(t *testing.T) {
	for name, exit := range goexits {
		t.Run(name, func(t *testing.T) {
			alone(t)
			path := newFile(t)
			db := openAio(t, "sqlite3:"+path+"?_busy_timeout=3000&_journal_mode=WAL")
			db.SetMaxOpenConns(2)
			e := overDB(t, db, overlay.WithLanes(2))
			for range 5 {
				exit(t, e)
				if t.Failed() {
					return
				}
				works(t, e)
			}
			other := bare(t, "sqlite3", path+"?_busy_timeout=3000")
			_, err := other.ExecContext(bounded(t), "INSERT INTO t (id) VALUES (2)")
			noError(t, "a write by somebody else", err)
			other.Close()
			quiet(t)
			until(t, soon, "the pool has its connections back", func() bool { return db.Stats().InUse <= 2 })
			shut(t, e)
			closeDB(t, db)
			if n := descriptors(t, path); n != 0 {
				t.Errorf("%d descriptors are left", n)
			}
		})
	}
}

// The same while nothing is shut down: dead connections leave at once.
func TestGoexitLeavesNoDescriptor(t *testing.T) {
	alone(t)
	path := newFile(t)
	e := open(t, "sqlite3", path, overlay.WithLanes(1))
	works(t, e)
	before := descriptors(t, path)
	for range 3 {
		outcome(t, soon, "the function", overlay.RunInThread(bounded(t), e, goexit))
		works(t, e)
	}
	until(t, soon, "no descriptor more than before", func() bool { return descriptors(t, path) <= before })
}

func TestAnIdleEngineUsesNoProcessor(t *testing.T) {
	alone(t)
	e := openFile(t)
	works(t, e)
	c := connect(t, e)
	quiet(t)
	outcome(t, soon, "CloseAsync", c.CloseAsync(bounded(t)))
}
