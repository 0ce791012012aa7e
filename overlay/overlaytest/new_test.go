package overlaytest_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
	"github.com/sqlaio/sqlaio/warnings"
)

var (
	background  = context.Background()
	errScripted = errors.New("scripted failure")
	done        = sqlmock.NewResult(0, 1)
)

const never = time.Hour

// trial runs a test that may fail and returns it.
func trial(fn func(e *overlay.Engine, m sqlmock.Sqlmock), opts ...overlaytest.Option) *fake {
	f := newFake()
	fn(overlaytest.New(f, opts...))
	f.end()
	return f
}

func TestExpectationsThatWereMet(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectExec("UPDATE").WillReturnResult(done)
		if _, err := e.ExecAsync(background, "UPDATE").Await(background); err != nil {
			t.Error(err)
		}
	}).wantErrors(t)
}

func TestExpectationsThatWereNotMet(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectExec("UPDATE a").WillReturnResult(done)
		m.ExpectExec("UPDATE b").WillReturnResult(done)
		e.ExecAsync(background, "UPDATE a").Await(background)
	}).wantErrors(t, "UPDATE b")
}

func TestCallsThatNobodyAwaitedAreFinished(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectExec("UPDATE").WillDelayFor(20 * time.Millisecond).WillReturnResult(done)
		e.ExecAsync(background, "UPDATE")
	}).wantErrors(t)
}

func TestExpectCloseIsMetByTheEndOfTheTest(t *testing.T) {
	for _, calls := range []int{0, 1} {
		trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
			for range calls {
				m.ExpectExec("UPDATE").WillReturnResult(done)
				e.ExecAsync(background, "UPDATE").Await(background)
			}
			m.ExpectClose()
		}).wantErrors(t)
	}
}

func TestShutdownByTheTest(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectExec("UPDATE").WillReturnResult(done)
		e.ExecAsync(background, "UPDATE")
		if err := e.Shutdown(background); err != nil {
			t.Error(err)
		}
	}).wantErrors(t)
}

func TestCallsReachTheMockInTheirOrder(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		var fs []*overlay.Future[sql.Result]
		for i := range 200 {
			m.ExpectExec("UPDATE").WithArgs(i).WillReturnResult(done)
		}
		for i := range 200 {
			fs = append(fs, e.ExecAsync(background, "UPDATE", i))
		}
		if _, err := overlay.All(fs...).Await(background); err != nil {
			t.Error(err)
		}
	}).wantErrors(t)
}

//go:noinline
func leaveOpen(t *testing.T, e *overlay.Engine) {
	c, err := e.ConnectAsync(background).Await(background)
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := c.BeginAsync(background, nil).Await(background); err != nil {
		t.Error(err)
	}
}

func TestConnectionsAndTransactionsThatWereForgotten(t *testing.T) {
	warnings.Record(t) // keeps the log quiet
	f := trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectBegin()
		m.ExpectRollback()
		leaveOpen(t, e)
	})
	if len(f.errors) != 1 && len(f.errors) != 2 { // the transaction goes with its connection
		t.Fatalf("the test failed with %q", f.errors)
	}
	for _, text := range f.errors {
		f := &fake{errors: []string{text}}
		f.wantErrors(t, "was left open")
		f.wantErrors(t, "new_test.go")
	}
}

func TestConnectionsThatAreStillInUse(t *testing.T) {
	var c *overlay.Conn
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		var err error
		if c, err = e.ConnectAsync(background).Await(background); err != nil {
			t.Error(err)
		}
	}, overlaytest.WithPatience(10*time.Millisecond)).wantErrors(t, "10ms after the test: a connection from ")
	if !c.Closed() {
		t.Error("the connection is open")
	}
}

func TestCallsThatDoNotEnd(t *testing.T) {
	warnings.Record(t)
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectQuery("SELECT").WillDelayFor(never).WillReturnRows(sqlmock.NewRows([]string{"n"}))
		e.QueryAsync(background, "SELECT").OnDone(func(*overlay.Result, error) {})
	}, overlaytest.WithPatience(10*time.Millisecond)).wantErrors(t, "10ms after the test: SELECT (running) from ")
}

func TestErrorsThatNobodyLookedAt(t *testing.T) {
	warnings.Record(t)
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectExec("UPDATE").WillReturnError(errScripted)
		e.ExecAsync(background, "UPDATE")
	}).wantErrors(t, "a future has failed and nobody looked at its error: scripted failure")
}

func manyRows(m sqlmock.Sqlmock) {
	rows := sqlmock.NewRows([]string{"n"})
	for i := range 1000 {
		rows.AddRow(i)
	}
	m.ExpectQuery("SELECT").RowsWillBeClosed().WillReturnRows(rows)
}

func TestResultsNeedNoClosing(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		manyRows(m)
		if _, err := e.QueryAsync(background, "SELECT").Await(background); err != nil {
			t.Error(err)
		}
	}).wantErrors(t)
}

func TestStreamsThatWereForgotten(t *testing.T) {
	warnings.Record(t)
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		manyRows(m)
		if _, err := e.StreamAsync(background, "SELECT").Await(background); err != nil {
			t.Error(err)
		}
	}).wantErrors(t, "a stream was left open")
}

func TestWhatSyncDBLeavesOpen(t *testing.T) {
	var rows *sql.Rows
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectQuery("SELECT").WillReturnRows(sqlmock.NewRows([]string{"n"}).AddRow(1))
		var err error
		if rows, err = e.SyncDB().Query("SELECT"); err != nil {
			t.Error(err)
		}
	}, overlaytest.WithPatience(10*time.Millisecond)).wantErrors(t, "SyncDB that were not given back: 1")
	rows.Close()
}

func TestEachTestHearsOfItsOwnLeaks(t *testing.T) {
	warnings.Record(t)
	other, tidy := newFake(), newFake()
	e, m := overlaytest.New(other)
	overlaytest.New(tidy)
	m.ExpectExec("UPDATE").WillReturnError(errScripted)
	e.ExecAsync(background, "UPDATE")
	other.end()
	tidy.end()
	other.wantErrors(t, "nobody looked")
	tidy.wantErrors(t)
}

// twice is a value converter that doubles integers.
type twice struct{}

func (twice) ConvertValue(v any) (driver.Value, error) {
	if i, ok := v.(int); ok {
		return int64(2 * i), nil
	}
	return v, nil
}

func TestOptions(t *testing.T) {
	trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
		m.ExpectPing()
		m.ExpectExec("UPDATE (").WithArgs(int64(6)).WillReturnResult(done)
		m.ExpectQuery("SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, 'main')) OR EXISTS (SELECT 1 FROM pragma_table_info(?1, 'temp'))").
			WithArgs("t").WillReturnRows(sqlmock.NewRows([]string{"found"}).AddRow(true))
		if err := e.SyncDB().Ping(); err != nil {
			t.Error(err)
		}
		if _, err := e.ExecAsync(background, "UPDATE (", 3).Await(background); err != nil {
			t.Error(err)
		}
		if has, err := e.HasTableAsync(background, "t").Await(background); err != nil || !has {
			t.Error(has, err)
		}
	}, nil, overlaytest.WithPings(), overlaytest.WithQueryMatcher(sqlmock.QueryMatcherEqual),
		overlaytest.WithValueConverter(twice{}), overlaytest.WithEngine(overlay.WithDialect(overlay.SQLite))).wantErrors(t)
}

func TestDialectsAskNothingOfAMock(t *testing.T) {
	for _, d := range []overlay.Dialect{overlay.SQLite, overlay.MySQL, overlay.PostgreSQL} {
		trial(func(e *overlay.Engine, m sqlmock.Sqlmock) {
			m.ExpectQuery("SELECT").WillReturnRows(sqlmock.NewRows([]string{"n"}).AddRow(5))
			if n, err := overlay.Scalar[int](background, e, "SELECT n FROM t").Await(background); err != nil || n != 5 {
				t.Error(d, n, err)
			}
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WillReturnError(errScripted)
			m.ExpectRollback()
			err := e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "UPDATE").Await(ctx)
				return err
			})
			if err != errScripted {
				t.Error(d, err)
			}
		}, overlaytest.WithEngine(overlay.WithDialect(d))).wantErrors(t)
	}
}
