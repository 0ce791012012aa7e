package overlaytest

import (
	"database/sql"
	"fmt"
	"sync/atomic"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/internal/leaks"
)

// TB is what New needs of a test: *testing.T, *testing.B and *testing.F have it.
type TB interface {
	Helper()                           // as testing.TB has it
	Cleanup(func())                    // the engine ends in one
	Errorf(format string, args ...any) // says what was unmet or left behind
	Fatalf(format string, args ...any) // where no mock can be made
}

// mocks counts the mocks, to name them.
var mocks atomic.Int64

// New returns an engine on a new mock. Both last until the end of t, which fails
// then if an expectation was not met or something was left open. The engine may
// be shut down before.
func New(t TB, opts ...Option) (*overlay.Engine, sqlmock.Sqlmock) {
	t.Helper()
	cfg := newConfig(opts)
	dsn := fmt.Sprintf("overlaytest_%d", mocks.Add(1))
	bare, mock, err := sqlmock.NewWithDSN(dsn, sqlmock.QueryMatcherOption(cfg.matcher),
		sqlmock.ValueConverterOption(cfg.converter), sqlmock.MonitorPingsOption(cfg.pings))
	if err != nil {
		t.Fatalf("overlaytest: %v", err)
	}
	db, err := sql.Open("aio", "sqlmock:"+dsn)
	if err != nil {
		bare.Close()
		t.Fatalf("overlaytest: %v", err)
	}
	e := &ending{t: t, mock: mock, bare: bare, db: db, patience: cfg.patience}
	e.engine = overlay.New(db, append(cfg.engine, leaks.Option(e.heard).(overlay.Option))...)
	t.Cleanup(e.run)
	return e.engine, mock
}
