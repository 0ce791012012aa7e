package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
)

// patient stands for a driver without contexts: a statement runs until it is
// done or somebody calls Stop.
type patient struct{}

type patientConn struct{ stop chan struct{} }

var errStopped = errors.New("patient: stopped")

func (patient) Open(string) (sqldriver.Conn, error) {
	return &patientConn{stop: make(chan struct{}, 1)}, nil
}

func (c *patientConn) Stop() {
	select {
	case c.stop <- struct{}{}:
	default: // one is waiting
	}
}

func (c *patientConn) Exec(query string, _ []sqldriver.Value) (sqldriver.Result, error) {
	var done <-chan time.Time
	if query != "endless" {
		done = time.After(0)
	}
	select {
	case <-done:
		return sqldriver.RowsAffected(1), nil
	case <-c.stop:
		return nil, errStopped
	}
}

func (c *patientConn) Prepare(string) (sqldriver.Stmt, error) { return nil, errors.New("patient: no") }
func (c *patientConn) Begin() (sqldriver.Tx, error)           { return nil, errors.New("patient: no") }
func (c *patientConn) Close() error                           { return nil }

// patientAdapter is what there is to know about it.
type patientAdapter struct{}

func (patientAdapter) Interrupter(inner sqldriver.Conn, _ sqldriver.Connector) aio.Interrupter {
	return stopper{inner.(*patientConn)}
}

// Traits promises that no []byte of the driver's is used again.
func (patientAdapter) Traits() aio.Traits { return aio.Traits{FreshBytes: true} }

// OpenConnector takes what concerns the adapter out of the data source name.
func (patientAdapter) OpenConnector(d sqldriver.Driver, dsn string) (sqldriver.Connector, error) {
	dsn, unknown, found := strings.Cut(dsn, "?")
	if found {
		return nil, fmt.Errorf("patient: unknown parameter %q", unknown)
	}
	return patientConnector{d, dsn}, nil
}

type patientConnector struct {
	driver sqldriver.Driver
	dsn    string
}

func (c patientConnector) Connect(context.Context) (sqldriver.Conn, error) {
	return c.driver.Open(c.dsn)
}
func (c patientConnector) Driver() sqldriver.Driver { return c.driver }

// stopper serves one connection.
type stopper struct{ c *patientConn }

func (s stopper) Interrupt(context.Context)   { s.c.Stop() }
func (s stopper) Interrupted(err error) bool  { return err == errStopped }
func (s stopper) ReadsOnly(query string) bool { return strings.HasPrefix(query, "SELECT ") }

// Settle takes back a Stop that came after the statement's end: the next
// statement must not find it.
func (s stopper) Settle() error {
	select {
	case <-s.c.stop:
	default:
	}
	return nil
}

// With an adapter a driver that knows nothing of contexts is stopped by them,
// and its connection stays in the pool.
func ExampleAdapter() {
	aio.RegisterAdapter(patient{}, patientAdapter{})
	aio.Register("patient", patient{})
	db, err := sql.Open("patient", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, "endless")
	fmt.Println(err)
	_, err = db.Exec("short")
	fmt.Println(err, "connections:", db.Stats().OpenConnections)
	// Output:
	// context deadline exceeded
	// <nil> connections: 1
}

// What the shim does with an Interrupter when a context ends.
func ExampleInterrupter() {
	inner, _ := patient{}.Open("")
	intr := patientAdapter{}.Interrupter(inner, nil)

	intr.Interrupt(context.Background()) // in the goroutine of the caller
	_, err := inner.(*patientConn).Exec("endless", nil)
	fmt.Println(err, intr.Interrupted(err))
	// Output: patient: stopped true
}

// An interrupt that came late is taken back before the next call.
func ExampleSettler() {
	inner, _ := patient{}.Open("")
	intr := patientAdapter{}.Interrupter(inner, nil)

	intr.Interrupt(context.Background()) // nothing runs
	fmt.Println(intr.(aio.Settler).Settle(), len(inner.(*patientConn).stop))
	// Output: <nil> 0
}

// Rows that are closed early are interrupted only if the query writes nothing.
func ExampleReader() {
	var r aio.Reader = stopper{}
	fmt.Println(r.ReadsOnly("SELECT a FROM t"), r.ReadsOnly("DELETE FROM t RETURNING a"))
	// Output: true false
}

// An Opener may refuse a data source name before anything is connected.
func ExampleOpener() {
	var o aio.Opener = patientAdapter{}
	_, err := o.OpenConnector(patient{}, "db?patience=0")
	fmt.Println(err)
	// Output: patient: unknown parameter "patience=0"
}

// Blobs of a driver that promises FreshBytes are not copied.
func ExampleTraits() {
	var t aio.Traiter = patientAdapter{}
	fmt.Printf("%+v\n", t.Traits())
	// Output: {FreshBytes:true QuietEnd:false FixedTypes:false}
}

func ExampleTraiter() {
	var a aio.Adapter = patientAdapter{}
	t, ok := a.(aio.Traiter) // the shim asks
	fmt.Println(ok && t.Traits().FreshBytes)
	// Output: true
}
