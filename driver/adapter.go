package driver

import (
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// What an adapter may implement. Their contracts stand at their methods.
type (
	// An Adapter is what the shim knows about one driver beyond its
	// interfaces. It may also implement Opener and Traiter.
	Adapter = pinned.Adapter

	// An Interrupter stops calls of one connection. It may also implement the
	// interfaces below that speak of an Interrupter.
	Interrupter = pinned.Interrupter

	// A Settler is an Interrupter that leaves something behind.
	Settler = pinned.Settler

	// A Reader is an Interrupter that knows which queries it may stop at no
	// cost but their rows.
	Reader = pinned.Reader

	// A LockWaiter is an Interrupter that can end a COMMIT's wait for a lock.
	LockWaiter = pinned.LockWaiter

	// A HangUpper is an Interrupter that can cut its connection.
	HangUpper = pinned.HangUpper

	// A LossTeller is an Interrupter that knows the errors of a broken
	// connection.
	LossTeller = pinned.LossTeller

	// A TxReporter is an Interrupter that knows whether a transaction is open.
	TxReporter = pinned.TxReporter

	// A Watcher is an Interrupter that is told what was executed.
	Watcher = pinned.Watcher

	// Volatile is an Interrupter of a connection that may hold a database.
	Volatile = pinned.Volatile

	// A ContextAdapter is an Adapter that asks the server something for a new
	// connection.
	ContextAdapter = pinned.ContextAdapter

	// A Reporter is an Adapter that can tell of any connection whether a
	// transaction is open.
	Reporter = pinned.Reporter

	// TxStatus is what a database says about a connection's transaction.
	TxStatus = pinned.TxStatus

	// An Opener is an Adapter that makes connectors.
	Opener = pinned.Opener

	// A Traiter is an Adapter that makes promises about its driver.
	Traiter = pinned.Traiter

	// Traits are promises about a driver. The zero value promises nothing.
	Traits = pinned.Traits
)

// The statuses.
const (
	TxUnknown = pinned.TxUnknown
	TxNone    = pinned.TxNone
	TxOpen    = pinned.TxOpen
	TxLost    = pinned.TxLost
)

// RegisterAdapter makes a serve every driver of the same dynamic type as
// sample, however it is registered or wrapped. The last registration wins.
func RegisterAdapter(sample driver.Driver, a Adapter) { pinned.RegisterAdapter(sample, a) }
