package liveness_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"sync"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// fakeEngine returns an engine on a scripted driver without an adapter. At the
// test's end all must be closed there, and no rule broken.
func fakeEngine(t *testing.T, f drivertest.Features, opts ...overlay.Option) (*drivertest.Driver, *sql.DB, *overlay.Engine) {
	t.Helper()
	d := drivertest.New(f)
	t.Cleanup(func() { checkDriver(t, d) })
	db := aio.OpenDB(d.Connector("test"))
	return d, db, overDB(t, db, opts...)
}

// checkDriver fails the test if something was left open in a scripted driver, or
// if one of its rules was broken.
func checkDriver(t *testing.T, d *drivertest.Driver) {
	t.Helper()
	if t.Failed() {
		return
	}
	for start := time.Now(); len(d.OpenObjects()) > 0 && time.Since(start) < soon; {
		time.Sleep(time.Millisecond)
	}
	if left := d.OpenObjects(); len(left) > 0 {
		t.Errorf("left open in the driver: %s", strings.Join(left, ", "))
	}
	if v := d.Violations(); len(v) > 0 {
		t.Errorf("rules of the driver broken:\n%s", strings.Join(v, "\n"))
	}
	if v := d.ThreadViolations(); len(v) > 0 {
		t.Errorf("threads:\n%s", strings.Join(v, "\n"))
	}
}

// slowDriver is a scripted driver whose adapter's Interrupt takes its time.
type slowDriver struct {
	*drivertest.Driver
	asked chan struct{} // one for each Interrupt that has come, as far as there is room
	goOn  chan struct{} // closed: Interrupts go on
	once  sync.Once
}

// slowInterrupt is how long an Interrupt takes unless release is called: longer
// than any promise that a call makes.
const slowInterrupt = 8 * time.Second

func init() { aio.RegisterAdapter(&slowDriver{}, slowAdapter{}) }

// slowEngine returns an engine on a slowDriver.
func slowEngine(t *testing.T, opts ...overlay.Option) (*slowDriver, *sql.DB, *overlay.Engine) {
	t.Helper()
	d := &slowDriver{
		Driver: drivertest.New(drivertest.Modern),
		asked:  make(chan struct{}, 64),
		goOn:   make(chan struct{}),
	}
	t.Cleanup(func() { checkDriver(t, d.Driver) })
	db := aio.OpenDB(slowConnector{d.Driver.Connector("test"), d})
	e := overDB(t, db, opts...)
	t.Cleanup(d.release)
	return d, db, e
}

func (d *slowDriver) Open(dsn string) (driver.Conn, error) { return d.Driver.Driver().Open(dsn) }

// release lets all Interrupts go on.
func (d *slowDriver) release() { d.once.Do(func() { close(d.goOn) }) }

type slowConnector struct {
	driver.Connector
	d *slowDriver
}

func (c slowConnector) Driver() driver.Driver { return c.d }

type slowAdapter struct{}

func (slowAdapter) Interrupter(inner driver.Conn, c driver.Connector) aio.Interrupter {
	return slowInterrupter{c.(slowConnector).d, inner.(drivertest.Interrupter)}
}

type slowInterrupter struct {
	d    *slowDriver
	conn drivertest.Interrupter
}

func (i slowInterrupter) Interrupt(context.Context) {
	select {
	case i.d.asked <- struct{}{}:
	default:
	}
	select {
	case <-i.d.goOn:
	case <-time.After(slowInterrupt):
	}
	i.conn.Interrupt()
}

func (slowInterrupter) Interrupted(err error) bool { return err == drivertest.ErrInterrupted }
