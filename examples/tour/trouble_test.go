package tour

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
	"github.com/sqlaio/sqlaio/threadpin"
	"github.com/sqlaio/sqlaio/warnings"
)

// mistakes has a way to get each message in the README's table of troubles.
var mistakes = map[string]func(*testing.T, context.Context) error{
	`aio: no such driver: the data source name must be "<driver>:<dsn>"`: func(*testing.T, context.Context) error {
		_, err := sql.Open("aio", "app.db")
		return err
	},
	`aio: no such driver: "x" is not registered (forgotten import?)`: func(*testing.T, context.Context) error {
		_, err := sql.Open("aio", "x:app.db")
		return err
	},
	`aio: no such driver: "u" is not registered (forgotten import?); the data source name must be`: func(*testing.T, context.Context) error {
		_, err := sql.Open("aio", "u:password@tcp(host)/db")
		return err
	},
	`overlay: the dsn begins with "sqlite3:"`: func(*testing.T, context.Context) error {
		_, err := overlay.Open("sqlite3", "sqlite3:app.db")
		return err
	},
	"aio: connection was not opened through the aio driver": func(t *testing.T, ctx context.Context) error {
		db := open(t, "sqlite3", ":memory:")
		c, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = aio.Thread(c)
		return err
	},
	"too many worker threads": func(t *testing.T, ctx context.Context) error {
		aio.Register("sqlite3-one-thread", &sqlite3.SQLiteDriver{}, aio.WithThread(threadpin.WithMaxThreads(1)))
		db := open(t, "sqlite3-one-thread", ":memory:")
		first, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer first.Close()
		return db.PingContext(ctx)
	},
	"threadpin: function called runtime.Goexit": func(t *testing.T, ctx context.Context) error {
		c, err := open(t, "aio", "sqlite3::memory:").Conn(ctx)
		if err != nil {
			return err
		}
		defer c.Close()
		return aio.Raw(ctx, c, func(driver.Conn) error { runtime.Goexit(); return nil })
	},
	"database is locked": func(t *testing.T, ctx context.Context) error {
		db := open(t, "aio", "sqlite3:"+filepath.Join(t.TempDir(), "app.db")+"?_busy_timeout=1&_txlock=immediate")
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		_, err = db.Exec("CREATE TABLE t (a)")
		return err
	},
	"context deadline exceeded": func(t *testing.T, ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := open(t, "aio", "sqlite3::memory:").ExecContext(ctx,
			"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
		return err
	},
	"overlay: closed": func(t *testing.T, ctx context.Context) error {
		e := engine(t)
		e.Shutdown(ctx)
		_, err := e.ExecAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"overlay: the sql.DB is not of the driver aio": func(t *testing.T, ctx context.Context) error {
		db, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "app.db"))
		if err != nil {
			return err
		}
		defer db.Close()
		e := overlay.New(db)
		defer e.Shutdown(ctx)
		_, err = e.ExecAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"overlay: a writer (WithWriter) needs": func(t *testing.T, ctx context.Context) error {
		_, err := overlay.Write(ctx, engine(t), func(context.Context, *sql.Conn) (int, error) { return 0, nil }).Await(ctx)
		return err
	},
	"overlay: the call would wait for itself": func(t *testing.T, ctx context.Context) error {
		e := engine(t)
		_, err := overlay.RunInThread(ctx, e, func(ctx context.Context, _ *sql.Conn) (int, error) {
			//aiovet:ignore it is to fail
			return overlay.Scalar[int](ctx, e, "SELECT 1").Await(ctx)
		}).Await(ctx)
		return err
	},
	"overlay: too many calls are waiting": func(t *testing.T, ctx context.Context) error {
		e := engine(t, overlay.WithQueue(1))
		release := busy(ctx, e)
		defer release()
		waits := e.ExecAsync(ctx, "SELECT 1")
		defer waits.Cancel()
		_, err := e.ExecAsync(ctx, "SELECT 2").Await(ctx)
		return err
	},
	"overlay: two goroutines use one transaction at once": func(t *testing.T, ctx context.Context) error {
		return engine(t).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			release := busy(ctx, c)
			defer release()
			failed := make(chan error)
			go func() {
				_, err := c.ExecAsync(ctx, "SELECT 1").Await(ctx)
				failed <- err
			}()
			return <-failed
		})
	},
	"sqlaio: a transaction is open already": func(t *testing.T, ctx context.Context) error {
		return engine(t).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.BeginAsync(ctx, nil).Await(ctx)
			return err
		})
	},
	"sqlaio: the database has rolled the transaction back by itself": func(t *testing.T, ctx context.Context) error {
		return engine(t).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			c.ExecAsync(ctx, "CREATE TABLE t (a PRIMARY KEY)").Await(ctx)
			c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
			c.ExecAsync(ctx, "INSERT OR ROLLBACK INTO t VALUES (1)").Await(ctx)
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (2)").Await(ctx)
			return err
		})
	},
	"sqlaio: a statement has ended the transaction": func(t *testing.T, ctx context.Context) error {
		return engine(t).WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			if _, err := c.ExecAsync(ctx, "COMMIT").Await(ctx); err != nil {
				return err
			}
			_, err := c.ExecAsync(ctx, "CREATE TABLE t (a)").Await(ctx)
			return err
		})
	},
	"sqlaio: the call left a transaction open": func(t *testing.T, ctx context.Context) error {
		_, err := engine(t).ExecAsync(ctx, "BEGIN").Await(ctx)
		return err
	},
	"sqlaio: it is unknown whether the write was carried out": func(t *testing.T, ctx context.Context) error {
		e, mock := overlaytest.New(t)
		mock.ExpectBegin()
		mock.ExpectCommit().WillReturnError(driver.ErrBadConn)
		return e.RetryTx(ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
	},
	"overlay: the result is too large to be kept in memory": func(t *testing.T, ctx context.Context) error {
		_, err := engine(t, overlay.WithResultLimit(1)).QueryAsync(ctx, "SELECT 1").Await(ctx)
		return err
	},
	"overlay: each connection to :memory: has a database of its own": func(*testing.T, context.Context) error {
		_, err := overlay.Open("sqlite3", ":memory:", overlay.WithLanes(2))
		return err
	},
	"overlay: the statement returns no rows": func(t *testing.T, ctx context.Context) error {
		r, err := engine(t).ExecuteAsync(ctx, "CREATE TABLE t (a)").Await(ctx)
		if err != nil {
			return err
		}
		_, err = r.FetchAllAsync(ctx).Await(ctx)
		return err
	},
	"overlay: not run, since a statement before it has failed": func(t *testing.T, ctx context.Context) error {
		results, _ := engine(t).BatchAsync(ctx, []overlay.Statement{{Query: "SELEC"}, {Query: "SELECT 1"}}).Await(ctx)
		return results[1].Err
	},
	"it is not known how to list tables": func(t *testing.T, ctx context.Context) error {
		e, _ := overlaytest.New(t)
		_, err := e.HasTableAsync(ctx, "users").Await(ctx)
		return err
	},
	"a connection was left open": func(t *testing.T, ctx context.Context) error {
		return collected(t, func(e *overlay.Engine) { e.ConnectAsync(ctx).Await(ctx) })
	},
	"a stream was left open": func(t *testing.T, ctx context.Context) error {
		const long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i FROM n"
		//aiovet:ignore it is left open to get the warning
		return collected(t, func(e *overlay.Engine) { e.StreamAsync(ctx, long).Await(ctx) })
	},
	"a future has failed and nobody looked at its error": func(t *testing.T, ctx context.Context) error {
		return collected(t, func(e *overlay.Engine) { <-e.ExecAsync(ctx, "SELEC").Done() })
	},
	"an asynchronous handle is used for blocking schema reflection": func(t *testing.T, ctx context.Context) error {
		defer warnings.Filter(warnings.Error)()
		return tables(ctx, engine(t))
	},
}

// The README explains exactly the messages that users get, word for word.
func TestTroublesAreThoseOfTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## Troubleshooting\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for line := range strings.Lines(section) {
		if message, ok := strings.CutPrefix(line, "| `"); ok {
			message, _, _ = strings.Cut(message, "`")
			explained = append(explained, message)
		}
	}
	for message := range mistakes {
		if !slices.Contains(explained, message) {
			t.Errorf("the README does not explain %q", message)
		}
	}
	for _, message := range explained {
		t.Run(message, func(t *testing.T) {
			mistake := mistakes[message]
			if mistake == nil {
				t.Fatal("no mistake is known to give this message")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := mistake(t, ctx); err == nil || !strings.Contains(err.Error(), message) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func open(t *testing.T, name, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(name, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// engine returns an engine with one lane, on an in-memory database.
func engine(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open("sqlite3", ":memory:", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Shutdown(context.Background()) })
	return e
}

// busy occupies a thread until release is called.
func busy(ctx context.Context, to overlay.Target) (release func()) {
	begun, end := make(chan struct{}), make(chan struct{})
	f := overlay.RunInThread(ctx, to, func(context.Context, *sql.Conn) (int, error) {
		close(begun)
		<-end
		return 0, nil
	})
	<-begun
	return func() {
		close(end)
		f.Await(ctx)
	}
}

// collected returns the first warning after the garbage collector has found what
// forget left behind.
func collected(t *testing.T, forget func(*overlay.Engine)) error {
	t.Helper()
	recorded := warnings.Record(t)
	forget(engine(t))
	for start := time.Now(); time.Since(start) < 20*time.Second; runtime.Gosched() {
		runtime.GC()
		if all := recorded.All(); len(all) > 0 {
			return all[0]
		}
	}
	return errors.New("no warning")
}
