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

	// An Opener is an Adapter that makes connectors.
	Opener = pinned.Opener

	// A Traiter is an Adapter that makes promises about its driver.
	Traiter = pinned.Traiter

	// Traits are promises about a driver. The zero value promises nothing.
	Traits = pinned.Traits
)

// RegisterAdapter makes a serve every driver of the same dynamic type as
// sample, however it is registered or wrapped. The last registration wins.
func RegisterAdapter(sample driver.Driver, a Adapter) { pinned.RegisterAdapter(sample, a) }
