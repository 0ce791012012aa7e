package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// What the tests against models share.
//
// -rapid.checks=N sets the number of runs; a constant beside each test says how many
// steps a run has.

var background = context.Background()

// patience is when a test gives up waiting for what must come.
const patience = 10 * time.Second

// tb is what testing.T and rapid.T have in common here.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// modelCheck is rapid.Check with another default for -rapid.checks, spread over
// tests that run side by side since they wait most of the time, and without
// files for failures. property adds the steps it has made.
func modelCheck(t *testing.T, checks int, property func(*rapid.T, *atomic.Int64)) {
	t.Helper()
	const sideBySide = 4
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	set := func(name, value string) {
		f := flag.Lookup(name)
		old := f.Value.String()
		if err := f.Value.Set(value); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Value.Set(old) })
	}
	if given {
		checks, _ = strconv.Atoi(flag.Lookup("rapid.checks").Value.String())
	} else if testing.Short() {
		checks /= 20
	}
	set("rapid.nofailfile", "true")
	set("rapid.shrinktime", "5s")
	set("rapid.checks", fmt.Sprint((checks+sideBySide-1)/sideBySide))
	var steps atomic.Int64
	start := time.Now()
	t.Run("runs", func(t *testing.T) {
		for i := range sideBySide {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(rt *rapid.T) { property(rt, &steps) })
			})
		}
	})
	t.Logf("%d steps in %v", steps.Load(), time.Since(start).Round(time.Millisecond))
}

// until waits for cond.
func until(t tb, what string, cond func() bool) {
	t.Helper()
	for start, n := time.Now(), 0; !cond(); n++ {
		if time.Since(start) > patience {
			t.Fatalf("waited in vain: %s\n%s", what, stacks())
		}
		if n < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(50 * time.Microsecond)
		}
	}
}

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

func stacks() string {
	buf := make([]byte, 1<<20)
	return string(buf[:runtime.Stack(buf, true)])
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
