package driver_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// limit is how long anything may take before a test says that it hangs.
const limit = 10 * time.Second

// within runs body in a goroutine and fails with all stacks if it hangs.
func within(t testing.TB, body func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		body()
	}()
	join(t, done)
}

// join waits for done to be closed.
func join(t testing.TB, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
		if t.Failed() {
			t.FailNow()
		}
	case <-time.After(limit):
		t.Fatalf("hangs:\n%s", harness.Stacks())
	}
}

// eventually polls until ok, which no event announces, is true.
func eventually(t testing.TB, ok func() bool, what string) {
	t.Helper()
	harness.Until(t, what, ok)
}

// leaks remembers how many threads and goroutines there are. The returned
// function waits until there are no more of them again.
func leaks(t testing.TB) (back func()) {
	t.Helper()
	noWorkers(t)
	threads, goroutines := threadCount(), runtime.NumGoroutine()
	return func() {
		t.Helper()
		noWorkers(t)
		// The runtime itself may have started a few threads meanwhile.
		eventually(t, func() bool {
			return runtime.NumGoroutine() <= goroutines && threadCount() <= threads+16
		}, "threads and goroutines back at baseline")
	}
}

// noWorkers waits until no worker's thread is running in the process.
func noWorkers(t testing.TB) {
	t.Helper()
	eventually(t, func() bool {
		w, err := threadpin.Start(threadpin.WithMaxThreads(1))
		if err != nil {
			return false
		}
		w.Quit()
		return true
	}, "the end of all workers")
}

// threadCount returns 0 where the system does not tell.
func threadCount() int {
	tasks, _ := os.ReadDir("/proc/self/task")
	return len(tasks)
}

// must fails the test if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A setup is one way to put the shim in front of a fake driver.
type setup struct {
	name string
	open func(d *dt.Driver, opts ...aio.Option) (driver.Connector, error)
}

var setups = []setup{
	{"Wrap", func(d *dt.Driver, opts ...aio.Option) (driver.Connector, error) {
		return aio.Wrap(d.Driver(), opts...).(driver.DriverContext).OpenConnector("dsn")
	}},
	{"NewConnector", func(d *dt.Driver, opts ...aio.Option) (driver.Connector, error) {
		return aio.NewConnector(d.Connector("dsn"), opts...), nil
	}},
	{"Adapter", func(d *dt.Driver, opts ...aio.Option) (driver.Connector, error) {
		return aio.NewConnector(adapted{d.Connector("dsn")}, opts...), nil
	}},
}

// bare is no shim at all, for comparisons.
var bare = setup{"bare", func(d *dt.Driver, _ ...aio.Option) (driver.Connector, error) {
	return d.Connector("dsn"), nil
}}

// start opens a DB on a new fake driver. At the end of the test nothing may be
// left open and no rule broken.
func (s setup) start(t testing.TB, f dt.Features, opts ...aio.Option) (*dt.Driver, *sql.DB) {
	t.Helper()
	d, db := s.unchecked(t, f, opts...)
	t.Cleanup(func() {
		db.Close()
		d.Release()
		clean(t, d)
		if s.name != bare.name {
			report(t, "wrong thread", d.ThreadViolations())
		}
	})
	return d, db
}

// unchecked is start for tests that look at the end themselves.
func (s setup) unchecked(t testing.TB, f dt.Features, opts ...aio.Option) (*dt.Driver, *sql.DB) {
	t.Helper()
	d := dt.New(f)
	c, err := s.open(d, opts...)
	must(t, err)
	return d, sql.OpenDB(c)
}

// open is start for tests that need but one setup.
func open(t testing.TB, f dt.Features, opts ...aio.Option) (*dt.Driver, *sql.DB) {
	t.Helper()
	return setups[1].start(t, f, opts...)
}

// clean reports what is left open and what rules were broken. A connection
// that was lost is closed by its thread, after all else.
func clean(t testing.TB, d *dt.Driver) {
	t.Helper()
	eventually(t, func() bool { return d.OpenConns() == 0 }, "the end of all connections")
	report(t, "left open", d.OpenObjects())
	report(t, "rule broken", d.Violations())
}

func report(t testing.TB, what string, list []string) {
	t.Helper()
	if len(list) > 0 {
		t.Errorf("%s:\n%s", what, strings.Join(list, "\n"))
	}
}

// adapted is a connector of a driver that has an adapter.
type adapted struct{ driver.Connector }

func (a adapted) Driver() driver.Driver { return adaptedDriver{a.Connector.Driver()} }

type adaptedDriver struct{ driver.Driver }

func init() { aio.RegisterAdapter(adaptedDriver{}, adapter{}) }

type adapter struct{}

func (adapter) Traits() aio.Traits { return aio.Traits{QuietEnd: true} }

func (adapter) Interrupter(inner driver.Conn, _ driver.Connector) aio.Interrupter {
	return interrupter{inner.(dt.Interrupter)}
}

type interrupter struct{ inner dt.Interrupter }

func (i interrupter) Interrupt(context.Context) { i.inner.Interrupt() }

func (i interrupter) Interrupted(err error) bool { return errors.Is(err, dt.ErrInterrupted) }

func (i interrupter) ReadsOnly(query string) bool { return strings.HasPrefix(query, "rows") }

// contexts are the two kinds of contexts.
func contexts(t testing.TB) map[string]context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return map[string]context.Context{"Background": context.Background(), "cancellable": ctx}
}

// thread returns the OS thread that the fake driver saw for a connection.
func thread(t testing.TB, d *dt.Driver, conn int) int {
	t.Helper()
	list := d.Threads()[conn]
	if len(list) != 1 {
		t.Fatalf("connection %d has threads %v", conn, list)
	}
	if list[0] == 0 {
		t.Skip("threads have no known id here")
	}
	return list[0]
}

// number returns the number of a connection of a fake driver.
func number(t testing.TB, conn *sql.Conn) (n int) {
	t.Helper()
	must(t, aio.Raw(context.Background(), conn, func(inner driver.Conn) error {
		n = inner.(dt.Interrupter).Number()
		return nil
	}))
	return n
}

// threadIDsAreGoroutineIDs tells whether threadpin was built for systems that
// have no id of a thread.
func threadIDsAreGoroutineIDs(t testing.TB, w *threadpin.Worker) (yes bool) {
	t.Helper()
	must(t, w.Run(context.Background(), func() {
		var buf [64]byte
		id := bytes.Fields(buf[:runtime.Stack(buf[:], false)])[1]
		yes = string(id) == strconv.Itoa(w.ThreadID())
	}))
	return yes
}

// uniqueName returns a name under which no driver is registered yet.
func uniqueName(prefix string) string { return prefix + strconv.Itoa(int(names.Add(1))) }

var names atomic.Int64
