// Package leaks lets package overlaytest hear of an engine's leaks alone, where
// package warnings knows those of the whole process.
package leaks

import "github.com/sqlaio/sqlaio/warnings"

// Option returns an overlay.Option with which heard is called with each
// warning about something of the engine's that was left open or that nobody
// looked at. Package overlay sets it.
var Option func(heard func(warnings.Warning)) any
