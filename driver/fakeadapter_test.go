package driver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/internal/test/harness"
	"github.com/sqlaio/sqlaio/threadpin"
)

// cancelDriver is a scripted driver under a type of its own, so that the
// adapter registered for it leaves the drivers of other tests alone.
type cancelDriver struct {
	*drivertest.Driver
	kind cancelKind

	onInterrupt func()       // run by Interrupt
	unsettled   atomic.Bool  // Interrupt has returned, and Settle was not called since
	settles     atomic.Int64 // calls of Settle
	settleFails atomic.Bool  // it returns errCancelSettle
	misuse      atomic.Value // a string: how the shim broke the adapter's contract
}

// cancelQuietDriver is a cancelDriver whose adapter promises QuietEnd.
type cancelQuietDriver struct{ *cancelDriver }

// cancelKind is what the interrupters of a cancelDriver can do.
type cancelKind struct {
	features drivertest.Features
	reader   bool          // it is a Reader: queries that start with "rows" only read
	settler  bool          // it is a Settler
	quiet    bool          // the adapter promises QuietEnd
	linger   time.Duration // Interrupt takes that long before it interrupts
	clean    bool          // connections have a SessionResetter and a Validator
}

func init() {
	aio.RegisterAdapter(&cancelDriver{}, cancelAdapter{})
	aio.RegisterAdapter(&cancelQuietDriver{}, cancelQuietAdapter{})
}

func newCancelDriver(k cancelKind) *cancelDriver {
	k.clean = k.features.Has(drivertest.SessionResetter | drivertest.Validator)
	return &cancelDriver{Driver: drivertest.New(k.features), kind: k}
}

func (d *cancelDriver) Open(dsn string) (driver.Conn, error) { return d.Driver.Driver().Open(dsn) }

// connector is d's, and reports as its driver the type with the right adapter.
func (d *cancelDriver) connector() *cancelConnector {
	c := &cancelConnector{Connector: d.Driver.Connector("test"), d: d, face: d}
	if d.kind.quiet {
		c.face = &cancelQuietDriver{d}
	}
	return c
}

func (d *cancelDriver) openDB(opts ...aio.Option) *sql.DB { return aio.OpenDB(d.connector(), opts...) }

// countingDB is openDB that counts the connections that were opened.
func (d *cancelDriver) countingDB(opts ...aio.Option) (*sql.DB, *atomic.Int64) {
	c := d.connector()
	return aio.OpenDB(c, opts...), &c.opened
}

type cancelConnector struct {
	driver.Connector
	d      *cancelDriver
	face   driver.Driver
	opened atomic.Int64
}

func (c *cancelConnector) Driver() driver.Driver { return c.face }

type cancelAdapter struct{}

type cancelQuietAdapter struct{ cancelAdapter }

func (cancelQuietAdapter) Traits() aio.Traits { return aio.Traits{QuietEnd: true} }

func (cancelAdapter) Interrupter(inner driver.Conn, c driver.Connector) aio.Interrupter {
	d := c.(*cancelConnector).d
	c.(*cancelConnector).opened.Add(1)
	i := &cancelInterrupter{d: d, conn: inner.(drivertest.Interrupter), home: cancelGoroutine()}
	switch {
	case d.kind.reader && d.kind.settler:
		return struct {
			*cancelInterrupter
			cancelReader
			cancelSettler
		}{i, cancelReader{}, cancelSettler{d}}
	case d.kind.reader:
		return struct {
			*cancelInterrupter
			cancelReader
		}{i, cancelReader{}}
	case d.kind.settler:
		return struct {
			*cancelInterrupter
			cancelSettler
		}{i, cancelSettler{d}}
	}
	return i
}

// cancelInterrupter stops the scripted driver's calls, and watches that the
// shim asks it as Interrupter says.
type cancelInterrupter struct {
	d      *cancelDriver
	conn   drivertest.Interrupter
	home   string // the connection's goroutine, which is locked to its thread
	inside atomic.Bool
}

func (i *cancelInterrupter) Interrupt(ctx context.Context) {
	if !i.inside.CompareAndSwap(false, true) {
		i.d.misuse.Store("two Interrupts of one connection at once")
	}
	defer i.inside.Store(false)
	if ctx.Done() == nil {
		i.d.misuse.Store("the context of Interrupt does not end with the call")
	}
	if cancelGoroutine() == i.home {
		i.d.misuse.Store("Interrupt was called on the connection's thread")
	}
	if i.d.onInterrupt != nil {
		i.d.onInterrupt()
	}
	for start := time.Now(); time.Since(start) < i.d.kind.linger; {
	}
	i.conn.Interrupt()
	i.d.unsettled.Store(true)
}

func (i *cancelInterrupter) Interrupted(err error) bool { return err == drivertest.ErrInterrupted }

type cancelReader struct{}

func (cancelReader) ReadsOnly(query string) bool { return strings.HasPrefix(query, "rows") }

var errCancelSettle = errors.New("not settled")

type cancelSettler struct{ d *cancelDriver }

func (s cancelSettler) Settle() error {
	s.d.unsettled.Store(false)
	s.d.settles.Add(1)
	if s.d.settleFails.Load() {
		return errCancelSettle
	}
	return nil
}

// cancelGoroutine returns what tells the calling goroutine from others.
func cancelGoroutine() string {
	var buf [64]byte
	name, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), "[")
	return name
}

// check reports what the driver saw that may not happen.
func (d *cancelDriver) check(t harness.TB) {
	t.Helper()
	if v := d.Violations(); len(v) > 0 {
		t.Fatalf("rules broken:\n%s", strings.Join(v, "\n"))
	}
	if v := d.ThreadViolations(); len(v) > 0 {
		t.Fatalf("threads:\n%s", strings.Join(v, "\n"))
	}
	if m := d.misuse.Load(); m != nil {
		t.Fatalf("adapter: %s", m)
	}
	for _, c := range d.Log() {
		if c.Ctx != nil && c.Method != "Connector.Connect" && c.Ctx.Done() != nil {
			t.Fatalf("%v has got a context that can end", c)
		}
	}
}

var cancelBackground = context.Background()

// cancelConn takes a connection out of the pool, with its worker and number.
func cancelConn(t harness.TB, db *sql.DB) (*sql.Conn, *threadpin.Worker, int) {
	t.Helper()
	c, err := db.Conn(cancelBackground)
	if err != nil {
		t.Fatalf("Conn: %v", err)
	}
	w, err := aio.Thread(c)
	if err != nil {
		t.Fatalf("Thread: %v", err)
	}
	return c, w, cancelNumber(t, c)
}

// cancelStart opens a DB on a new scripted driver. At the end of the test all
// must be closed, and no rule broken.
func cancelStart(t *testing.T, k cancelKind, opts ...aio.Option) (*cancelDriver, *sql.DB) {
	d := newCancelDriver(k)
	db := d.openDB(opts...)
	t.Cleanup(func() {
		must(t, db.Close())
		d.check(t)
		if left := d.OpenObjects(); len(left) > 0 {
			t.Errorf("left open: %s", strings.Join(left, ", "))
		}
	})
	return d, db
}

// cancelNumber returns the number that the scripted driver gave a connection.
func cancelNumber(t harness.TB, c *sql.Conn) (number int) {
	t.Helper()
	err := aio.Raw(cancelBackground, c, func(inner driver.Conn) error {
		number = inner.(drivertest.Interrupter).Number()
		return nil
	})
	if err != nil {
		t.Fatalf("Raw: %v", err)
	}
	return number
}
