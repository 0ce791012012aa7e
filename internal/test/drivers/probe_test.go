package drivers

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sqlaio/sqlaio/threadpin"
)

// A probe is a driver between aio and a real one. It notes the thread of each
// call that it passes on: aio → probe → pgx.
type probe struct {
	inner driver.Driver

	mu      sync.Mutex           // guards the rest, and the threads of probedCalls
	owners  map[int]*probedCalls // of the threads of open connections
	seen    map[string]int       // calls by method
	offered map[string]bool      // methods that the driver has and database/sql asks for
	strays  []string             // calls on a wrong thread
	conns   int
}

// probedCalls are those of one connection, and of all that was made from it.
type probedCalls struct {
	probe  *probe
	number int
	thread int
}

// note counts a call of a method and looks at the thread that it is on, which
// must be that of the connection's first call, and no other open connection's.
func (c *probedCalls) note(method string) {
	thread, p := threadpin.CurrentThreadID(), c.probe
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[method]++
	if c.thread == 0 {
		p.conns++
		c.number, c.thread = p.conns, thread
		if other := p.owners[thread]; other != nil {
			p.strays = append(p.strays, fmt.Sprintf("connections %d and %d share thread %d", other.number, c.number, thread))
		}
		p.owners[thread] = c
	}
	if thread != c.thread {
		p.strays = append(p.strays, fmt.Sprintf("connection %d: %s on thread %d, not %d", c.number, method, thread, c.thread))
	}
	if method == "Conn.Close" {
		delete(p.owners, c.thread)
	}
}

// offer notes which methods a value of the driver's has. The old forms of
// methods are left out: no one asks for them where there is the new one.
func (c *probedCalls) offer(kind string, value any, optional []reflect.Type, always ...string) {
	c.probe.mu.Lock()
	defer c.probe.mu.Unlock()
	for _, t := range implemented(value, optional) {
		for m := range t.Methods() {
			c.probe.offered[kind+"."+m.Name] = true
		}
	}
	for _, method := range always {
		c.probe.offered[kind+"."+method] = true
	}
}

func implemented(value any, optional []reflect.Type) (types []reflect.Type) {
	for _, t := range optional {
		if reflect.TypeOf(value).Implements(t) {
			types = append(types, t)
		}
	}
	return types
}

// exactly returns the one of some shapes that has just the optional interfaces
// that the driver's own value has, for their absence shows too.
func exactly[T any](inner T, optional []reflect.Type, shapes ...T) T {
	want := implemented(inner, optional)
	for _, s := range shapes {
		if slices.Equal(implemented(s, optional), want) {
			return s
		}
	}
	panic(fmt.Sprintf("no probe has just the interfaces of %T: %v", inner, want))
}

// Open is what database/sql never calls, for there is OpenConnector.
func (p *probe) Open(string) (driver.Conn, error) { panic("Open") }

func (p *probe) OpenConnector(dsn string) (driver.Connector, error) {
	if d, ok := p.inner.(driver.DriverContext); ok {
		inner, err := d.OpenConnector(dsn)
		return &probedConnector{p, inner, dsn}, err
	}
	return &probedConnector{p, nil, dsn}, nil
}

type probedConnector struct {
	probe *probe
	inner driver.Connector // nil if the driver has none
	dsn   string
}

func (c *probedConnector) Driver() driver.Driver { return c.probe }

func (c *probedConnector) Connect(ctx context.Context) (inner driver.Conn, err error) {
	kind, method := "Driver", "Open"
	if c.inner != nil {
		kind, method = "Connector", "Connect"
		inner, err = c.inner.Connect(ctx)
	} else {
		inner, err = c.probe.inner.Open(c.dsn)
	}
	if err != nil {
		return nil, err
	}
	calls := &probedCalls{probe: c.probe}
	calls.note(kind + "." + method)
	calls.offer(kind, c.inner, nil, method)
	return newProbedConn(inner, calls), nil
}

var probes atomic.Int64 // made

// newProbe registers a probe of a database's driver and returns it with its name.
func newProbe(t testing.TB, d database) (*probe, string) {
	db := d.openDSN(t, "", false)
	defer db.Close()
	p := &probe{inner: db.Driver(), owners: map[int]*probedCalls{}, seen: map[string]int{}, offered: map[string]bool{}}
	name := fmt.Sprintf("probe-%s-%d", d.name, probes.Add(1))
	sql.Register(name, p)
	return p, name
}
