package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"runtime"
	"strings"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
)

// What the tests against models share.
//
// -rapid.checks=N sets the number of runs; a constant beside each test says how many
// steps a run has.

var background = context.Background()

const patience = harness.Patience

type tb = harness.TB

var (
	modelCheck = harness.Check
	until      = harness.Until
	stacks     = harness.Stacks
)

// within waits for done to be closed.
func within(t tb, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
		return
	default:
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("waited in vain: %s\n%s", what, stacks())
	}
}

// goroutine returns what tells the calling goroutine from others.
func goroutine() string {
	var buf [64]byte
	name, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), "[")
	return name
}

// scripted is a scripted driver whose calls can be interrupted, under a type of
// its own.
type scripted struct {
	*drivertest.Driver
	onInterrupt func(conn int) // may be nil
}

func init() { aio.RegisterAdapter(&scripted{}, scriptedAdapter{}) }

func newScripted() *scripted { return &scripted{Driver: drivertest.New(drivertest.Modern)} }

func (s *scripted) Open(dsn string) (driver.Conn, error) { return s.Driver.Driver().Open(dsn) }

func (s *scripted) openDB() *sql.DB { return aio.OpenDB(scriptedConnector{s.Connector("test"), s}) }

// check reports what the driver saw that may not happen. All connections are
// closed.
func (s *scripted) check(t tb) {
	t.Helper()
	if v := s.Violations(); len(v) > 0 {
		t.Fatalf("rules broken:\n%s", strings.Join(v, "\n"))
	}
	if v := s.ThreadViolations(); len(v) > 0 {
		t.Fatalf("threads:\n%s", strings.Join(v, "\n"))
	}
	until(t, "the end of all connections", func() bool { return len(s.OpenObjects()) == 0 })
}

type scriptedConnector struct {
	driver.Connector
	s *scripted
}

func (c scriptedConnector) Driver() driver.Driver { return c.s }

type scriptedAdapter struct{}

func (scriptedAdapter) Interrupter(inner driver.Conn, c driver.Connector) aio.Interrupter {
	return scriptedInterrupter{inner.(drivertest.Interrupter), c.(scriptedConnector).s}
}

type scriptedInterrupter struct {
	conn drivertest.Interrupter
	s    *scripted
}

func (i scriptedInterrupter) Interrupt(context.Context) {
	if i.s.onInterrupt != nil {
		i.s.onInterrupt(i.conn.Number())
	}
	i.conn.Interrupt()
}

func (i scriptedInterrupter) Interrupted(err error) bool { return err == drivertest.ErrInterrupted }
