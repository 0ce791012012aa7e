package drivertest

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"sync"
)

// A Driver is the control of one fake driver: it makes connections, obeys
// hooks and keeps the log. What a test hands to database/sql or to a wrapper
// is [Driver.Driver] or [Driver.Connector]. All methods are safe for
// concurrent use.
type Driver struct {
	features Features
	face     driver.Driver
	newConn  func(*conn) driver.Conn
	newStmt  func(*stmt) driver.Stmt
	newRows  func(*rows) driver.Rows

	released chan struct{} // closed by Release

	mu         sync.Mutex // guards the fields below and all state of the objects
	releasing  bool
	calls      []Call
	hooks      []*hook
	conns      int             // connections ever opened
	open       map[string]bool // names of the open objects
	violations []string
	interrupts []Interrupt
}

// New makes a driver with the given features. It panics if there is no such
// combination; [ConnShapes], [StmtShapes] and [RowsShapes] list what there is.
func New(f Features) *Driver {
	d := &Driver{
		features: f,
		newConn:  connShape(f & ConnFeatures),
		newStmt:  stmtShape(f & StmtFeatures),
		newRows:  rowsShape(f & RowsFeatures),
		released: make(chan struct{}),
		open:     map[string]bool{},
	}
	if f.Has(DriverContext) {
		d.face = &contextDriver{plainDriver{d}}
	} else {
		d.face = &plainDriver{d}
	}
	return d
}

// Features returns what the driver was made with.
func (d *Driver) Features() Features { return d.features }

// Driver returns the driver as database/sql sees it, the same value each time.
func (d *Driver) Driver() driver.Driver { return d.face }

// Log returns a copy of all calls so far, in the order they came in.
func (d *Driver) Log() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls)
}

// Count returns how many calls of a method came in.
func (d *Driver) Count(method string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, c := range d.calls {
		if c.Method == method {
			n++
		}
	}
	return n
}

// Release lets everything go on that is blocked or sleeping by its script, now
// and later.
func (d *Driver) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.releasing {
		d.releasing = true
		close(d.released)
	}
}

// noContext is the context of a method that takes none.
var noContext context.Context

// plainDriver is the driver's face without OpenConnector.
type plainDriver struct{ d *Driver }

func (p *plainDriver) Open(dsn string) (driver.Conn, error) {
	if p.d.features.Has(OpenPanics) {
		panic("drivertest: Open is not supported, use OpenConnector")
	}
	return p.d.connect(noContext, "Driver.Open", dsn)
}

// contextDriver is the driver's face with OpenConnector.
type contextDriver struct{ plainDriver }

func (p *contextDriver) OpenConnector(dsn string) (c driver.Connector, err error) {
	o := &object{d: p.d, name: "driver"}
	err = o.do("Driver.OpenConnector", nil, Render(dsn), func(Call) error {
		c = p.d.Connector(dsn)
		return nil
	})
	return c, err
}

// connect opens a connection, numbered also when it fails.
func (d *Driver) connect(ctx context.Context, method, dsn string) (ci driver.Conn, err error) {
	d.mu.Lock()
	d.conns++
	c := &conn{}
	c.object = object{d: d, conn: c, number: d.conns, name: fmt.Sprintf("c%d", d.conns)}
	d.mu.Unlock()
	err = c.do(method, ctx, Render(dsn), func(Call) error {
		c.opened()
		ci = d.newConn(c)
		return nil
	})
	return ci, err
}
