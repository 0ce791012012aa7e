// Package ledger holds the acceptance tests of one promise: nothing
// acknowledged is lost, and nothing refused is kept.
//
// Each write has an id. A caller believes of it what it was told: acknowledged
// (no error), refused (an error), or unknown (an error that wraps
// overlay.ErrOutcomeUnknown). At the end a connection of the bare driver reads
// the table. What was acknowledged must be there once, what was refused must not
// be there. Of a transaction all must be there, or nothing.
//
// The tests know only what the packages export. The databases are SQLite files,
// SQLite in memory, MariaDB, and for what these cannot be made to do a driver
// that fails on demand.
package ledger
