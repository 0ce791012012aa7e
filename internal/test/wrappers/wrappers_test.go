package wrappers

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/XSAM/otelsql"
	"github.com/ngrok/sqlmw"
	sqldblogger "github.com/simukti/sqldb-logger"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A wrapper opens a database whose connections are those of the driver aio, wrapped by a
// library. dsn begins with the real driver's name. saw tells what the library has seen.
type wrapper struct {
	name string
	open func(t *testing.T, dsn string) (db *sql.DB, saw func() []string)
}

var wrappers = []wrapper{
	{"otelsql.Open", func(t *testing.T, dsn string) (*sql.DB, func() []string) {
		spans := tracetest.NewInMemoryExporter()
		db, err := otelsql.Open("aio", dsn, otelsql.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
		if err != nil {
			t.Fatal(err)
		}
		return db, func() (names []string) {
			for _, s := range spans.GetSpans() {
				names = append(names, s.Name)
			}
			return names
		}
	}},
	{"sqldb-logger", func(t *testing.T, dsn string) (*sql.DB, func() []string) {
		db, err := sql.Open("aio", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var log logger
		return sqldblogger.OpenDriver(dsn, db.Driver(), &log), log.seen
	}},
	{"sqlmw", func(t *testing.T, dsn string) (*sql.DB, func() []string) {
		db, err := sql.Open("aio", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		i := new(interceptor)
		name := fmt.Sprintf("sqlmw-%d", registered.Add(1))
		sql.Register(name, sqlmw.Driver(db.Driver(), i))
		db, err = sql.Open(name, dsn)
		if err != nil {
			t.Fatal(err)
		}
		return db, i.seen
	}},
}

var registered atomic.Int64

// logger is sqldb-logger's Logger, and notes what it is told.
type logger struct {
	mu  sync.Mutex
	all []string
}

func (l *logger) Log(_ context.Context, _ sqldblogger.Level, msg string, _ map[string]any) {
	l.add(msg)
}

func (l *logger) add(msg string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, msg)
}

func (l *logger) seen() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// interceptor is sqlmw's.
type interceptor struct {
	sqlmw.NullInterceptor
	logger
}

func (i *interceptor) ConnExecContext(ctx context.Context, c driver.ExecerContext, query string, args []driver.NamedValue) (driver.Result, error) {
	i.add("exec")
	return c.ExecContext(ctx, query, args)
}

// traffic is what an application does on one goroutine.
func traffic(ctx context.Context, db *sql.DB, exec, query string) error {
	_, first := db.ExecContext(ctx, exec)
	second := read(db.QueryContext(ctx, query))
	stmt, err := db.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	third := read(stmt.QueryContext(ctx))
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, fourth := tx.ExecContext(ctx, exec)
	return errors.Join(first, second, third, fourth, tx.Commit(), db.PingContext(ctx))
}

func read(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// Below each wrapper, every call of a connection is on its thread.
func TestCallsAreOnTheThread(t *testing.T) {
	for _, w := range wrappers {
		t.Run(w.name, func(t *testing.T) {
			fake := drivertest.New(drivertest.Modern)
			name := fmt.Sprintf("fake-%d", registered.Add(1))
			sql.Register(name, fake.Driver())
			db, saw := w.open(t, name+":dsn")
			defer db.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var wg sync.WaitGroup
			for range 4 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for range 10 {
						if err := traffic(ctx, db, "affected 1", "rows 20"); err != nil {
							t.Error(err)
						}
					}
				}()
			}
			wg.Wait()
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if len(fake.Threads()) == 0 || len(saw()) < 40 {
				t.Errorf("%d connections; the wrapper has seen %d calls", len(fake.Threads()), len(saw()))
			}
			for conn, threads := range fake.Threads() {
				if len(threads) != 1 {
					t.Errorf("connection %d was on the threads %v", conn, threads)
				}
			}
			for _, v := range slices.Concat(fake.ThreadViolations(), fake.Violations(), fake.OpenObjects()) {
				t.Error(v)
			}
		})
	}
}

// A wrapper below aio runs on the thread too: its interceptors may use the connection.
func TestAWrapperBelowAioIsOnTheThread(t *testing.T) {
	fake := drivertest.New(drivertest.Modern)
	i := new(interceptor)
	db, err := aio.Wrap(sqlmw.Driver(fake.Driver(), i)).(driver.DriverContext).OpenConnector("dsn")
	if err != nil {
		t.Fatal(err)
	}
	pool := sql.OpenDB(db)
	defer pool.Close()
	if err := traffic(context.Background(), pool, "affected 1", "rows 20"); err != nil {
		t.Error(err)
	}
	pool.Close()
	for _, v := range slices.Concat(fake.ThreadViolations(), fake.Violations(), fake.OpenObjects()) {
		t.Error(v)
	}
	if len(i.seen()) == 0 {
		t.Error("the wrapper has seen nothing")
	}
}

// A query on SQLite whose context ends is stopped, and its connection is kept.
func TestCancelKeepsTheConnection(t *testing.T) {
	for _, w := range wrappers {
		t.Run(w.name, func(t *testing.T) {
			db, _ := w.open(t, "sqlite3:"+filepath.Join(t.TempDir(), "a.db"))
			defer db.Close()
			db.SetMaxOpenConns(1)
			background := context.Background()
			if _, err := db.ExecContext(background, "CREATE TEMP TABLE kept (a)"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
			defer cancel()
			begun := time.Now()
			_, err := db.ExecContext(ctx, `INSERT INTO kept WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM c) SELECT n FROM c`)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 5*time.Second {
				t.Errorf("after %v: %v", time.Since(begun), err)
			}
			if err := traffic(background, db, "INSERT INTO kept VALUES (1)", "SELECT * FROM kept"); err != nil {
				t.Error(err)
			}
		})
	}
}
