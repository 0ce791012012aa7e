package drivers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/stdlib"

	aio "github.com/sqlaio/sqlaio/driver"
)

// keeping has pgx cancel by a request to the server, and so keep the connection: an
// option of its own does what an adapter would. It pays with 100 ms a cancelled call,
// which it sleeps so that a late request finds nothing.
func keeping(config *pgx.ConnConfig) {
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 5 * time.Second}
	}
}

// Example_pgx cancels a statement on PostgreSQL and goes on with the same
// session.
func Example_pgx() {
	dsn := os.Getenv("SQLAIO_POSTGRES")
	if dsn == "" { // there is no server: make drivers starts one
		fmt.Println("true", true)
		return
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		fmt.Println(err)
		return
	}
	keeping(config)
	db := aio.OpenDB(stdlib.GetConnector(*config))
	defer db.Close()
	db.SetMaxOpenConns(1)
	session := func() (pid int) { db.QueryRow("SELECT pg_backend_pid()").Scan(&pid); return }

	before := session()
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, "SELECT pg_sleep(1000)")
	fmt.Println(err != nil, session() == before)
	// Output: true true
}

// pgxPools are those of pgx as it is and with that option, bare and through aio.
func pgxPools(t *testing.T, test func(t *testing.T, db *sql.DB, keeps bool)) {
	d := databases[0]
	if os.Getenv("SQLAIO_POSTGRES") == "" {
		t.Skip("SQLAIO_POSTGRES is not set: run the tests with `make drivers`, which starts a PostgreSQL server")
	}
	for _, wrapped := range []bool{false, true} {
		for _, keeps := range []bool{false, true} {
			t.Run(fmt.Sprintf("aio %v, cancel request %v", wrapped, keeps), func(t *testing.T) {
				config, err := pgx.ParseConfig(d.dsn(t))
				must(t, err)
				if keeps {
					keeping(config)
				}
				connector := stdlib.GetConnector(*config)
				db := sql.OpenDB(connector)
				if wrapped {
					db.Close()
					db = aio.OpenDB(connector)
				}
				defer db.Close()
				test(t, db, keeps)
			})
		}
	}
}

// With the option a cancelled call keeps its session, without it loses it; how long
// until the next answer is in the log.
func TestPgxCancelKeepsTheConnection(t *testing.T) {
	pgxPools(t, func(t *testing.T, db *sql.DB, keeps bool) {
		db.SetMaxOpenConns(1)
		var took, back []time.Duration
		for range 10 {
			var before, after int
			must(t, db.QueryRow("SELECT pg_backend_pid()").Scan(&before))
			ctx, cancel := context.WithCancel(background)
			stop := time.AfterFunc(30*time.Millisecond, cancel)
			called := time.Now()
			_, err := db.ExecContext(ctx, "SELECT pg_sleep(1000)")
			if err == nil {
				t.Error("a sleep of 1000 s ends")
			}
			back = append(back, time.Since(called)-30*time.Millisecond)
			stop.Stop()
			start := time.Now()
			must(t, db.QueryRow("SELECT pg_backend_pid()").Scan(&after))
			took = append(took, time.Since(start))
			cancel()
			if kept := before == after; kept != keeps {
				t.Errorf("the session was kept: %v", kept)
			}
		}
		slices.Sort(took)
		slices.Sort(back)
		t.Logf("medians of %d: the cancelled call returned after %v, the next one answered %v later", len(took), back[len(back)/2], took[len(took)/2])
	})
}

// A cancel request, however late, does not hit the next call.
func TestPgxCancelRequestStorm(t *testing.T) {
	pgxPools(t, func(t *testing.T, db *sql.DB, keeps bool) {
		if !keeps {
			t.Skip("TestCancelStorm has this one")
		}
		db.SetMaxOpenConns(4)
		db.SetMaxIdleConns(4)
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				stopped, hit := 0, 0
				for range 50 {
					ctx, cancel := context.WithTimeout(background, rand.N(12*time.Millisecond))
					_, err := db.ExecContext(ctx, "SELECT count(*) FROM generate_series(1, 50000)")
					cancel()
					if err != nil {
						stopped++
					}
					var got int
					err = db.QueryRow("SELECT $1::int", w).Scan(&got)
					var refused *pgconn.PgError
					if errors.As(err, &refused) && refused.Code == "57014" {
						hit++
					} else if err != nil || got != w {
						t.Error(got, err)
					}
				}
				t.Logf("%d of 50 stopped, %d times the next call was hit", stopped, hit)
				if hit > 0 {
					t.Fail()
				}
			})
		}
		wg.Wait()
	})
}
