package pinned

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
	// opened. Its result serves that connection alone. If it is nil, contexts go to
	// the inner driver unchanged.
	Interrupter(inner driver.Conn, c driver.Connector) Interrupter
}

// An Interrupter stops calls of one connection. With it the inner driver sees
// contexts that never end. It may also implement Settler, Reader, LockWaiter,
// HangUpper, LossTeller, Resetter, TxReporter, Watcher and Volatile.
type Interrupter interface {
	// Interrupt asks the database to stop the call that runs. It is called in
	// a goroutine of its own, and again at growing intervals until the call
	// ends. It may overlap the call's end and the idle time after it, but never
	// a later call: the next one waits for it. ctx carries the call's values
	// and ends with the call.
	Interrupt(ctx context.Context)

	// Interrupted reports whether err, of a call that Interrupt was called
	// for, says that the database has stopped it and kept nothing of it. The
	// caller then gets its context's error.
	Interrupted(err error) bool
}

// A Settler is an Interrupter whose attempts may have an effect after their call.
type Settler interface {
	// Settle runs on the connection's thread after a call that Interrupt or
	// StopWaiting was called for, and before the next one. It takes back what may
	// still come. If it fails, the next call returns its error.
	Settle() error
}

// A Reader is an Interrupter that can tell which queries only read. When the caller
// closes rows before their end, only those of such a query may be interrupted: an
// interrupt would undo a write. Without a Reader the query's text decides.
type Reader interface {
	// ReadsOnly reports whether interrupting a query costs only its rows. It may be
	// called in any goroutine and must be quick.
	ReadsOnly(query string) bool
}

// A LockWaiter is an Interrupter of a database whose COMMIT may wait for a lock
// before it does anything.
type LockWaiter interface {
	// StopWaiting ends such a wait: COMMIT then fails and changes nothing. It
	// is called as Interrupt is, for a COMMIT or ROLLBACK, and must not stop
	// anything else.
	StopWaiting()
}

// A HangUpper is an Interrupter of a connection over a network.
type HangUpper interface {
	// HangUp cuts the connection, so that what runs ends soon with an error. It may
	// be called in any goroutine and does not block.
	HangUp()
}

// A LossTeller is an Interrupter that knows its driver's errors.
type LossTeller interface {
	// Lost reports whether err says that the connection broke after the call
	// was sent, so that it is unknown whether it was carried out.
	Lost(err error) bool
}

// A Resetter is an Interrupter that often spares the pool a hop before each use of a
// connection.
type Resetter interface {
	// NeedsNoReset reports whether the inner connection's ResetSession would do nothing
	// and return nil. It is called in any goroutine, while nothing runs on the connection.
	// Without it, or if it returns false, ResetSession is called on the thread.
	NeedsNoReset() bool
}

// A TxReporter is an Interrupter that knows whether a transaction is open.
type TxReporter interface {
	// TxStatus is called on the thread after each call, with its error, and
	// must cost next to nothing unless err is not nil.
	TxStatus(err error) TxStatus
}

// A Watcher is an Interrupter that needs to know what is executed.
type Watcher interface {
	// Executing and Executed are called on the thread before and after a
	// statement is prepared or executed, with its text. They must be quick.
	Executing(query string)
	Executed(query string)
}

// A ContextAdapter is an Adapter that asks the server something for a new
// connection.
type ContextAdapter interface {
	// InterrupterContext is called in place of Interrupter, with the context
	// of the connecting, and must return when that ends.
	InterrupterContext(ctx context.Context, inner driver.Conn, c driver.Connector) Interrupter
}

// A Reporter is an Adapter that can tell whether a transaction is open on a
// connection, even one without an Interrupter.
type Reporter interface {
	// Reporter is called on the connection's thread. It returns nil if the
	// connection cannot tell.
	Reporter(inner driver.Conn) TxReporter
}

// Volatile is an Interrupter of a connection that may hold a database.
type Volatile interface {
	// Memory reports whether the database ends with the connection. Such a
	// connection is not dropped while it works.
	Memory() bool
}

// TxStatus is what a database says about a connection's transaction.
type TxStatus uint8

// The statuses. With TxLost the session may have begun another transaction
// silently, as MySQL does after a deadlock: a ROLLBACK is needed.
const (
	TxUnknown TxStatus = iota // it cannot be told
	TxNone                    // no transaction is open
	TxOpen                    // one is open
	TxLost                    // the one that was open was rolled back as a whole
)

// An Opener is an Adapter that makes the connector for a data source name in
// place of the driver's own OpenConnector.
type Opener interface {
	OpenConnector(d driver.Driver, dsn string) (driver.Connector, error)
}

// A Traiter is an Adapter that makes promises about its driver's rows.
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
	// their Close returns nil. So Close may run at the start of the next call.
	QuietEnd bool

	// FixedTypes: what rows tell of their columns does not depend on the current row.
	// It is assumed of all drivers but those of SQLite, which read no rows ahead until
	// the caller has gone from one row to the next without asking for column types.
	FixedTypes bool
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

// AdapterFor returns the adapter of d, or nil.
func AdapterFor(d driver.Driver) Adapter {
	adapters.RLock()
	defer adapters.RUnlock()
	return adapters.byType[reflect.TypeOf(d)]
}
