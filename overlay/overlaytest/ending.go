package overlaytest

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"time"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// ending is what happens at the end of a test.
type ending struct {
	t        TB
	engine   *overlay.Engine
	mock     sqlmock.Sqlmock
	db       *sql.DB // the engine's
	bare     *sql.DB // keeps the mock until it is closed
	patience time.Duration

	mu     sync.Mutex
	leaked []warnings.Warning // guarded by mu
}

// heard is called with each warning about a leak, in any goroutine.
func (e *ending) heard(w warnings.Warning) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.leaked = append(e.leaked, w)
}

func (e *ending) run() {
	e.t.Helper()
	collect() // closes what was forgotten, so that Shutdown need not wait for it
	e.shutDown()
	collect() // errors that came while it waited
	e.reportLeaks()
	e.awaitPool()
	e.db.Close() // fails unless ExpectClose was called
	e.bare.Close()
	if err := e.mock.ExpectationsWereMet(); err != nil {
		e.t.Errorf("overlaytest: %v", err)
	}
}

func (e *ending) shutDown() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e.patience)
	defer cancel()
	if err := e.engine.Shutdown(ctx); err != nil {
		_, open, named := strings.Cut(err.Error(), "still open: ") // with its place
		if !named {
			open = err.Error()
		}
		e.t.Errorf("overlaytest: still open %v after the test: %s", e.patience, open)
	}
}

func (e *ending) reportLeaks() {
	e.t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range e.leaked {
		e.t.Errorf("overlaytest: %v", w)
	}
}

// awaitPool waits until all connections are back in the pool, which database/sql
// tells nobody.
func (e *ending) awaitPool() {
	e.t.Helper()
	deadline := time.Now().Add(e.patience)
	for e.db.Stats().InUse > 0 {
		if time.Now().After(deadline) {
			e.t.Errorf("overlaytest: connections of SyncDB that were not given back: %d (rows, a transaction or a sql.Conn was left open)",
				e.db.Stats().InUse)
			return
		}
		time.Sleep(time.Millisecond)
	}
}
