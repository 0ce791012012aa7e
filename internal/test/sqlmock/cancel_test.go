package sqlmock_test

import (
	"context"
	"database/sql"
	"sync"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
)

const (
	never = time.Hour            // longer than any test
	delay = 5 * time.Millisecond // long enough to be seen
)

// arrival is a matcher of queries that tells when the first one has arrived.
type arrival struct {
	once sync.Once
	at   chan struct{}
}

func newArrival() *arrival { return &arrival{at: make(chan struct{})} }

func (a *arrival) Match(expected, actual string) error {
	a.once.Do(func() { close(a.at) })
	return sqlmock.QueryMatcherRegexp.Match(expected, actual)
}

func TestCancelDuringADelay(t *testing.T) {
	for name, c := range map[string]struct {
		expect func(sqlmock.Sqlmock)
		call   func(context.Context, *sql.DB) error
	}{
		"exec": {
			func(m sqlmock.Sqlmock) {
				m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(sqlmock.NewResult(0, 0))
			},
			func(ctx context.Context, db *sql.DB) error { _, err := db.ExecContext(ctx, "SLOW"); return err },
		},
		"query": {
			func(m sqlmock.Sqlmock) { m.ExpectQuery("SLOW").WillDelayFor(never).WillReturnRows(one("n")) },
			func(ctx context.Context, db *sql.DB) error { _, err := db.QueryContext(ctx, "SLOW"); return err },
		},
		"prepare": {
			func(m sqlmock.Sqlmock) { m.ExpectPrepare("SLOW").WillDelayFor(never) },
			func(ctx context.Context, db *sql.DB) error { _, err := db.PrepareContext(ctx, "SLOW"); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := &arrival{}
			everyWay(t, script{
				matcher: a,
				expect: func(m sqlmock.Sqlmock) {
					a.once, a.at = sync.Once{}, make(chan struct{})
					c.expect(m)
				},
				run: func(t *testing.T, db *sql.DB) {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					go func(at chan struct{}) { <-at; cancel() }(a.at)
					same(t, c.call(ctx, db), sqlmock.ErrCancelled)
				},
			})
		})
	}
}

func TestDeadlineDuringADelay(t *testing.T) {
	for name, c := range map[string]struct {
		expect func(sqlmock.Sqlmock)
		call   func(context.Context, *sql.DB) error
	}{
		"begin": {
			func(m sqlmock.Sqlmock) { m.ExpectBegin().WillDelayFor(never) },
			func(ctx context.Context, db *sql.DB) error { _, err := db.BeginTx(ctx, nil); return err },
		},
		"ping": {
			func(m sqlmock.Sqlmock) { m.ExpectPing().WillDelayFor(never) },
			func(ctx context.Context, db *sql.DB) error { return db.PingContext(ctx) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, script{
				pings:  true,
				expect: c.expect,
				run: func(t *testing.T, db *sql.DB) {
					conn, err := db.Conn(context.Background()) // so that the time goes to the call
					ok(t, err)
					ok(t, conn.Close())
					ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
					defer cancel()
					same(t, c.call(ctx, db), sqlmock.ErrCancelled)
				},
			})
		})
	}
}

func TestDelayThatPasses(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectQuery("SLOW").WillDelayFor(delay).WillReturnRows(one("n").AddRow(4))
		},
		run: func(t *testing.T, db *sql.DB) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			begun := time.Now()
			var n int
			ok(t, db.QueryRowContext(ctx, "SLOW").Scan(&n))
			same(t, n, 4)
			if took := time.Since(begun); took < delay {
				t.Errorf("took %v", took)
			}
		},
	})
}

func TestContextThatHasEndedReachesNobody(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) { m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1)) },
		run: func(t *testing.T, db *sql.DB) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, err := db.ExecContext(ctx, "UPDATE")
			same(t, err, context.Canceled)
		},
		unmet: "UPDATE",
	})
}

func TestTransactionRollsBackWhenItsContextEnds(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectRollback()
		},
		run: func(t *testing.T, db *sql.DB) {
			db.SetMaxOpenConns(1)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			tx, err := db.BeginTx(ctx, nil)
			ok(t, err)
			_, err = tx.ExecContext(ctx, "UPDATE")
			ok(t, err)
			cancel()
			conn, err := db.Conn(context.Background()) // there once the rollback is over
			ok(t, err)
			ok(t, conn.Close())
			wantText(t, tx.Commit(), "transaction has already been committed or rolled back")
		},
	})
}
