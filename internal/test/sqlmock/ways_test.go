package sqlmock_test

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	aio "github.com/sqlaio/sqlaio/driver"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// script is a test as users of sqlmock write them: what they expect, and what
// the code under test does.
type script struct {
	matcher   sqlmock.QueryMatcher
	converter driver.ValueConverter
	pings     bool
	expect    func(sqlmock.Sqlmock)
	run       func(*testing.T, *sql.DB)
	unmet     string // part of what ExpectationsWereMet says; "": they were met
}

// ways are how a test opens a database on a mock.
var ways = []struct {
	name string
	aio  bool
	open func(dsn string, s *spy) (*sql.DB, error)
}{
	{"bare", false, func(_ string, s *spy) (*sql.DB, error) { return sql.OpenDB(s), nil }},
	{"aio", true, func(_ string, s *spy) (*sql.DB, error) { return aio.OpenDB(s), nil }},
	{"aio by DSN", true, func(dsn string, _ *spy) (*sql.DB, error) { return sql.Open("aio", "sqlmock:"+dsn) }},
}

// everyWay runs a script on the bare mock and through the shim. The
// mock must see the same calls in the same order, through the shim each
// connection's from one goroutine, its worker.
func everyWay(t *testing.T, s script) {
	t.Helper()
	bare := ""
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			mock, dsn := s.mock(t)
			watch := &spy{driver: mockDriver(t), dsn: dsn}
			db, err := w.open(dsn, watch)
			if err != nil {
				t.Fatal(err)
			}
			s.expect(mock)
			s.run(t, db)
			db.Close()
			s.check(t, mock)
			switch w.name {
			case "bare":
				bare = watch.log()
			case "aio":
				// The shim rolls back after a COMMIT that has failed.
				if log := strings.Replace(watch.log(), "Commit\nRollback", "Commit", 1); log != bare {
					t.Errorf("the mock saw\n%s\nand bare\n%s", log, bare)
				}
				if found := watch.strayed(); found != nil {
					t.Errorf("the mock was called elsewhere: %v", found)
				}
			}
		})
	}
}

func (s *script) check(t *testing.T, mock sqlmock.Sqlmock) {
	t.Helper()
	err := mock.ExpectationsWereMet()
	switch {
	case err == nil && s.unmet != "":
		t.Errorf("all expectations were met, without: %s", s.unmet)
	case err != nil && (s.unmet == "" || !strings.Contains(err.Error(), s.unmet)):
		t.Error(err)
	}
}

var mocks atomic.Int64

// mock makes a mock that lasts as long as the test.
func (s *script) mock(t *testing.T) (mock sqlmock.Sqlmock, dsn string) {
	t.Helper()
	dsn = fmt.Sprintf("suite_%d", mocks.Add(1))
	db, mock, err := sqlmock.NewWithDSN(dsn, sqlmock.QueryMatcherOption(s.matcher),
		sqlmock.ValueConverterOption(s.converter), sqlmock.MonitorPingsOption(s.pings))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() }) // the mock lasts until its last connection is closed
	return mock, dsn
}

func mockDriver(t *testing.T) driver.Driver {
	db, err := sql.Open("sqlmock", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Driver()
}

// ok stops the test at an error.
func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails the test unless the two are equal.
func same[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// wantText fails the test unless err has text in it.
func wantText(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want one with %q", err, text)
	}
}
