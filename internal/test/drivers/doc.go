// Package drivers tests the shim and the overlay with real drivers that have no
// adapter: pgx and lib/pq on PostgreSQL, modernc.org/sqlite and
// ncruces/go-sqlite3.
//
// Each comparison is one program that uses database/sql. It runs twice, on the
// bare driver and through aio, each time on an empty database, and must write
// down the same: values with their Go types, column types, results, errors with
// their types and what they wrap, and whether a connection was kept.
//
// SQLAIO_POSTGRES names the PostgreSQL server, as scripts/postgres run sets it.
package drivers
