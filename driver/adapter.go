package driver

import (
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// What an adapter may implement.
type (
	// An Adapter is what the shim knows about one driver beyond its interfaces:
	//
	//	// Interrupter is called on a connection's thread right after inner was opened. Its
	//	// result serves that connection alone. If it is nil, contexts go to the inner
	//	// driver unchanged.
	//	Interrupter(inner driver.Conn, c driver.Connector) Interrupter
	//
	// It may also implement Opener and Traiter.
	Adapter = pinned.Adapter

	// An Interrupter stops calls of one connection:
	//
	//	// Interrupt asks the database to stop the call that runs. It is called in a
	//	// goroutine of its own, and again at growing intervals until the call ends. It may
	//	// overlap the call's end and the idle time after it, but never a later call, which
	//	// waits for it. ctx carries the call's values and ends with the call.
	//	Interrupt(ctx context.Context)
	//
	//	// Interrupted reports whether err, of a call that Interrupt was called for, says
	//	// that the database has stopped it and kept nothing of it. The caller then gets its
	//	// context's error.
	//	Interrupted(err error) bool
	//
	// It may also implement the interfaces below that speak of an Interrupter.
	Interrupter = pinned.Interrupter

	// A Settler is an Interrupter whose attempts may have an effect after their call:
	//
	//	// Settle is called on the thread after a call that was interrupted, and before the
	//	// next one, which returns its error. It takes back what may still come.
	//	Settle() error
	Settler = pinned.Settler

	// A Reader is an Interrupter that knows which queries only read:
	//
	//	// ReadsOnly reports whether interrupting a query costs only its rows. It may be
	//	// called in any goroutine and must be quick.
	//	ReadsOnly(query string) bool
	//
	// Only such a query is interrupted when its rows are closed before their end. Without a
	// Reader the query's text decides.
	Reader = pinned.Reader

	// An Opener is an Adapter that makes connectors, in place of the driver's own
	// OpenConnector:
	//
	//	OpenConnector(d driver.Driver, dsn string) (driver.Connector, error)
	Opener = pinned.Opener

	// A Traiter is an Adapter that makes promises about its driver:
	//
	//	Traits() Traits // asked once for each connector
	Traiter = pinned.Traiter

	// Traits are promises about a driver. The zero value promises nothing.
	//
	//	FreshBytes bool // a []byte that Rows.Next returns is the caller's: it is not copied
	//	QuietEnd   bool // after io.EOF, closing rows does nothing and returns nil
	//	FixedTypes bool // column types do not depend on the current row; needed for SQLite alone
	Traits = pinned.Traits
)

// RegisterAdapter makes a serve every driver of the same dynamic type as
// sample, however it is registered or wrapped. The last registration wins.
func RegisterAdapter(sample driver.Driver, a Adapter) { pinned.RegisterAdapter(sample, a) }
