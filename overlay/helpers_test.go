package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

func must[T any](t *testing.T, f *overlay.Future[T]) T {
	t.Helper()
	within(t, "the end of a call", f.Done())
	v, err, _ := f.TryResult()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// occupy has a connection busy until release is called.
func occupy(t *testing.T, to overlay.Target) (release func()) {
	t.Helper()
	started, gate := make(chan struct{}), make(chan struct{})
	overlay.RunInThread(background, to, func(context.Context, *sql.Conn) (int, error) {
		close(started)
		<-gate
		return 0, nil
	})
	within(t, "the start of a call", started)
	return func() { close(gate) }
}

// onFile opens an engine whose connections go back to a pool that stays open.
func onFile(t *testing.T, opts ...overlay.Option) (*overlay.Engine, *sql.DB) {
	db, err := sql.Open("aio", "sqlite3:"+filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_busy_timeout=100")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	e := overlay.New(db, opts...)
	t.Cleanup(func() { e.Shutdown(background) })
	must(t, e.ExecAsync(background, "create table t (k integer primary key)"))
	return e, db
}

// failure returns the error of a future that must fail.
func failure[T any](t *testing.T, f *overlay.Future[T]) error {
	t.Helper()
	v, err := f.Await(atMost(t, time.Minute))
	if err == nil {
		t.Fatalf("no error, but %v", v)
	}
	return err
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

func atMost(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// oneLane returns an engine with one lane on a new file, with a table t.
func oneLane(t *testing.T, opts ...overlay.Option) *overlay.Engine {
	t.Helper()
	e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_journal=WAL&_busy_timeout=100", append([]overlay.Option{overlay.WithLanes(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		e.Shutdown(ctx)
	})
	if _, err := e.ExecAsync(context.Background(), "CREATE TABLE t (id INTEGER)").Await(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e
}

const endlessQuery = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"

func second[T any](_ T, err error) error { return err }

func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// faked opens an engine on a scripted driver.
func faked(t *testing.T) (*dt.Driver, *overlay.Engine) {
	d := dt.New(dt.LikeMySQL)
	db := aio.OpenDB(d.Connector(""))
	e := overlay.New(db)
	t.Cleanup(func() {
		e.Shutdown(context.Background())
		db.Close()
		for _, open := range d.OpenObjects() {
			t.Error("left open: ", open)
		}
	})
	return d, e
}
