package driver

import (
	"context"
	"database/sql/driver"
	"reflect"
	"sync"
)

// An Adapter is what the shim knows about one driver beyond its interfaces.
// It may also implement Opener and Traiter.
type Adapter interface {
	// Interrupter is called on a connection's thread right after inner was
	// opened. Its result serves that connection alone. If it is nil, contexts
	// go to the inner driver unchanged, which then does what it does.
	Interrupter(inner driver.Conn, c driver.Connector) Interrupter
}

// An Interrupter stops calls of one connection. With it the inner driver sees
// contexts that never end. It may also implement Settler.
type Interrupter interface {
	// Interrupt asks the database to stop the call that runs on the
	// connection. It is called in the goroutine of the caller whose context
	// ended, never on the connection's thread. The running call cannot return
	// before Interrupt does, so no other call can be hit. It is called again,
	// at growing intervals, until the call ends. ctx carries the call's values
	// and does not end.
	Interrupt(ctx context.Context)

	// Interrupted reports whether err is how the driver reports a call that
	// Interrupt stopped. The caller then gets its context's error.
	Interrupted(err error) bool
}

// A Settler is an Interrupter whose database may deliver an interrupt late.
type Settler interface {
	// Settle runs on the connection's thread between a call that Interrupt
	// was called for and the next one, and takes back what may still come. If
	// it fails, the next call returns its error.
	Settle() error
}

// A Reader is an Interrupter that may cost more than the call that it stops,
// such as a transaction, and can tell for which queries it doesn't. Only for
// those are rows interrupted that the caller has closed before their end.
type Reader interface {
	// ReadsOnly reports whether a query that is interrupted costs nothing but its
	// own rows. It may be called in any goroutine, several at once, and must be
	// quick.
	ReadsOnly(query string) bool
}

// An Opener is an Adapter that makes the connector for a data source name in
// place of the driver's own OpenConnector.
type Opener interface {
	OpenConnector(d driver.Driver, dsn string) (driver.Connector, error)
}

// A Traiter is an Adapter of a driver whose rows spare the shim some work.
type Traiter interface {
	// Traits is asked once for each connector.
	Traits() Traits
}

// Traits are promises about a driver. The zero value promises nothing.
type Traits struct {
	// FreshBytes: every []byte that Rows.Next returns is the caller's, so it
	// need not be copied.
	FreshBytes bool

	// QuietEnd: after io.EOF rows hold nothing that others could wait for, and
	// their Close returns nil. It may then run at the start of the next call.
	QuietEnd bool
}

var adapters struct {
	sync.RWMutex
	byType map[reflect.Type]Adapter
}

// RegisterAdapter makes a serve every driver of the same dynamic type as
// sample, however it is registered or wrapped. The last registration wins.
func RegisterAdapter(sample driver.Driver, a Adapter) {
	if sample == nil || a == nil {
		panic("aio: RegisterAdapter needs a sample driver and an adapter")
	}
	adapters.Lock()
	defer adapters.Unlock()
	if adapters.byType == nil {
		adapters.byType = make(map[reflect.Type]Adapter)
	}
	adapters.byType[reflect.TypeOf(sample)] = a
}

// adapterFor returns the adapter of d, or nil.
func adapterFor(d driver.Driver) Adapter {
	adapters.RLock()
	defer adapters.RUnlock()
	return adapters.byType[reflect.TypeOf(d)]
}
