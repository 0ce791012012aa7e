package sqlmock_test

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
)

var errScripted = errors.New("scripted failure")

func one(columns ...string) *sqlmock.Rows { return sqlmock.NewRows(columns) }

func TestExpectationsInOrder(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("INSERT INTO users").WillReturnResult(sqlmock.NewResult(7, 1))
			m.ExpectQuery("SELECT name").WillReturnRows(one("name").AddRow("dora"))
			m.ExpectExec("DELETE FROM users").WillReturnResult(sqlmock.NewResult(0, 3))
		},
		run: func(t *testing.T, db *sql.DB) {
			r, err := db.Exec("INSERT INTO users (name) VALUES ('dora')")
			ok(t, err)
			id, err := r.LastInsertId()
			ok(t, err)
			same(t, id, 7)
			var name string
			ok(t, db.QueryRow("SELECT name FROM users").Scan(&name))
			same(t, name, "dora")
			r, err = db.Exec("DELETE FROM users")
			ok(t, err)
			n, err := r.RowsAffected()
			ok(t, err)
			same(t, n, 3)
		},
	})
}

func TestCallOutOfOrderIsRefused(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE a").WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectExec("UPDATE b").WillReturnResult(sqlmock.NewResult(0, 1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE b")
			wantText(t, err, "could not match actual sql")
			_, err = db.Query("SELECT 1")
			wantText(t, err, "was not expected, next expectation is")
			_, err = db.Begin()
			wantText(t, err, "call to database transaction Begin, was not expected")
			_, err = db.Exec("UPDATE a")
			ok(t, err)
			_, err = db.Exec("UPDATE b")
			ok(t, err)
			_, err = db.Exec("UPDATE c")
			wantText(t, err, "all expectations were already fulfilled")
		},
	})
}

func TestExpectationsInAnyOrder(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.MatchExpectationsInOrder(false)
			m.ExpectExec("UPDATE a").WithArgs(1).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectExec("UPDATE a").WithArgs(2).WillReturnResult(sqlmock.NewResult(0, 2))
			m.ExpectQuery("SELECT").WillReturnRows(one("n").AddRow(5))
		},
		run: func(t *testing.T, db *sql.DB) {
			var n int64
			ok(t, db.QueryRow("SELECT n").Scan(&n))
			same(t, n, 5)
			for _, i := range []int64{2, 1} {
				r, err := db.Exec("UPDATE a SET n = ?", i)
				ok(t, err)
				n, err := r.RowsAffected()
				ok(t, err)
				same(t, n, i)
			}
		},
	})
}

func TestUnmetExpectationsAreReported(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE a").WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectQuery("SELECT forgotten").WillReturnRows(one("n"))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE a")
			ok(t, err)
		},
		unmet: "SELECT forgotten",
	})
}

func TestQueryMatcher(t *testing.T) {
	everyWay(t, script{
		matcher: sqlmock.QueryMatcherEqual,
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE t SET n = ? WHERE id = ?").WillReturnResult(sqlmock.NewResult(0, 1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE t", 1, 2)
			wantText(t, err, "does not equal to expected")
			_, err = db.Exec("UPDATE  t\nSET n = ? WHERE id = ?", 1, 2)
			ok(t, err)
		},
	})
}

func TestArguments(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("INSERT").WithArgs(1, "x", []byte("raw"), 2.5, true, nil, at).WillReturnResult(sqlmock.NewResult(1, 1))
			m.ExpectQuery("SELECT").WithArgs(42).WillReturnRows(one("n").AddRow(1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("INSERT", 2, "x", []byte("raw"), 2.5, true, nil, at)
			wantText(t, err, "argument 0 expected [int64 - 1] does not match actual [int64 - 2]")
			_, err = db.Exec("INSERT", 1)
			wantText(t, err, "expected 7, but got 1 arguments")
			_, err = db.Exec("INSERT", 1, "x", []byte("raw"), 2.5, true, nil, at)
			ok(t, err)
			var n int
			ok(t, db.QueryRow("SELECT n WHERE id = ?", int32(42)).Scan(&n))
			same(t, n, 1)
		},
	})
}

func TestWithoutArguments(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WithoutArgs().WillReturnResult(sqlmock.NewResult(0, 1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE", 1)
			wantText(t, err, "expected 0, but got 1 arguments")
			_, err = db.Exec("UPDATE")
			ok(t, err)
		},
	})
}

// recent matches times of the last minute.
type recent struct{}

func (recent) Match(v driver.Value) bool {
	at, ok := v.(time.Time)
	return ok && time.Since(at) < time.Minute
}

func TestArgumentMatchers(t *testing.T) {
	now := time.Now()
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("INSERT").WithArgs(sqlmock.AnyArg(), recent{}).WillReturnResult(sqlmock.NewResult(1, 1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("INSERT", "dora", time.Time{})
			wantText(t, err, "matcher sqlmock_test.recent could not match 1 argument")
			_, err = db.Exec("INSERT", "dora", now)
			ok(t, err)
		},
	})
}

func TestNamedArguments(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WithArgs(sql.Named("id", 1), sql.Named("name", "dora")).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectPrepare("SELECT").ExpectQuery().WithArgs(sql.Named("id", 1)).WillReturnRows(one("n").AddRow(2))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE", sql.Named("id", 1), sql.Named("other", "dora"))
			wantText(t, err, `name: "other" does not match expected: "name"`)
			_, err = db.Exec("UPDATE", sql.Named("id", 1), sql.Named("name", "dora"))
			ok(t, err)
			s, err := db.Prepare("SELECT")
			ok(t, err)
			var n int
			ok(t, s.QueryRow(sql.Named("id", 1)).Scan(&n))
			same(t, n, 2)
			ok(t, s.Close())
		},
	})
}

// upper takes string slices, which the default conversion refuses.
type upper struct{}

func (upper) ConvertValue(v any) (driver.Value, error) {
	switch v := v.(type) {
	case []string:
		return strings.ToUpper(strings.Join(v, ",")), nil
	case int, string:
		return v, nil
	}
	return nil, fmt.Errorf("cannot convert %T", v)
}

func TestValueConverter(t *testing.T) {
	everyWay(t, script{
		converter: upper{},
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("INSERT").WithArgs([]string{"a", "b"}, 5).WillReturnResult(sqlmock.NewResult(1, 1))
			m.ExpectPrepare("SELECT").ExpectQuery().WithArgs("A,B").WillReturnRows(m.NewRows([]string{"n"}).AddRow([]string{"c", "d"}))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("INSERT", 1.5)
			wantText(t, err, "sql: converting argument $1 type: cannot convert float64")
			_, err = db.Exec("INSERT", []string{"a", "b"}, 5)
			ok(t, err)
			s, err := db.Prepare("SELECT")
			ok(t, err)
			_, err = s.Query(true)
			wantText(t, err, "sql: converting argument $1 type: cannot convert bool")
			var text string
			ok(t, s.QueryRow([]string{"a", "b"}).Scan(&text))
			same(t, text, "C,D")
			ok(t, s.Close())
		},
	})
}

func TestOutParameters(t *testing.T) {
	var out string
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("CALL p").WithArgs(1, sqlmock.AnyArg()).WillReturnResult(sqlmock.NewResult(0, 0))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("CALL p(?, ?)", 1, sql.Out{Dest: &out})
			ok(t, err)
		},
	})
}

func TestErrorsArriveAsTheyAre(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WillReturnError(errScripted)
			m.ExpectQuery("SELECT").WillReturnError(errScripted)
			m.ExpectExec("INSERT").WillReturnResult(sqlmock.NewErrorResult(errScripted))
			m.ExpectQuery("SELECT none").WillReturnRows(one("n"))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE")
			same(t, err, errScripted)
			_, err = db.Query("SELECT")
			same(t, err, errScripted)
			r, err := db.Exec("INSERT")
			ok(t, err)
			_, err = r.LastInsertId()
			same(t, err, errScripted)
			_, err = r.RowsAffected()
			same(t, err, errScripted)
			same(t, db.QueryRow("SELECT none").Scan(new(int)), sql.ErrNoRows)
		},
	})
}

func TestPings(t *testing.T) {
	everyWay(t, script{
		pings: true,
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectPing()
			m.ExpectPing().WillReturnError(errScripted)
			m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectPing()
		},
		run: func(t *testing.T, db *sql.DB) {
			ok(t, db.Ping())
			same(t, db.Ping(), errScripted)
			wantText(t, db.Ping(), "call to database Ping, was not expected")
			_, err := db.Exec("UPDATE")
			ok(t, err)
		},
		unmet: "expecting database Ping",
	})
}

func TestPingsThatNobodyMonitors(t *testing.T) {
	everyWay(t, script{
		expect: func(sqlmock.Sqlmock) {},
		run: func(t *testing.T, db *sql.DB) {
			ok(t, db.Ping())
		},
	})
}

func TestClose(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectPrepare("SELECT").WillBeClosed()
			m.ExpectClose()
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Prepare("SELECT")
			ok(t, err)
			ok(t, db.Close())
		},
	})
}

func TestCloseThatFails(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectClose().WillReturnError(errScripted)
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE")
			ok(t, err)
			same(t, db.Close(), errScripted)
		},
	})
}

func TestCloseThatNobodyExpects(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WillReturnResult(sqlmock.NewResult(0, 1))
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Exec("UPDATE")
			ok(t, err)
			wantText(t, db.Close(), "call to database Close was not expected")
		},
	})
}

func TestSkipIsAnsweredWithAStatement(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(driver.ErrSkip)
			m.ExpectPrepare("UPDATE").WillBeClosed().ExpectExec().WithArgs(1).WillReturnResult(sqlmock.NewResult(0, 4))
			m.ExpectQuery("SELECT").WithArgs(2).WillReturnError(driver.ErrSkip)
			m.ExpectPrepare("SELECT").WillBeClosed().ExpectQuery().WithArgs(2).WillReturnRows(one("n").AddRow(5))
		},
		run: func(t *testing.T, db *sql.DB) {
			r, err := db.Exec("UPDATE", 1)
			ok(t, err)
			n, err := r.RowsAffected()
			ok(t, err)
			same(t, n, 4)
			ok(t, db.QueryRow("SELECT", 2).Scan(&n))
			same(t, n, 5)
		},
	})
}

func TestBadConnectionIsRetried(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectBegin().WillReturnError(driver.ErrBadConn)
			m.ExpectBegin()
			m.ExpectRollback()
		},
		run: func(t *testing.T, db *sql.DB) {
			tx, err := db.Begin()
			ok(t, err)
			ok(t, tx.Rollback())
		},
	})
}
