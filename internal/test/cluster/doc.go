// Package cluster tests the overlay on a MariaDB Galera cluster whose nodes are
// killed while it writes.
//
// Its test runs where SQLAIO_GALERA names a cluster of scripts/galera, which
// `make cluster` starts; elsewhere it is skipped.
package cluster
