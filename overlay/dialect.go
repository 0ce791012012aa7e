package overlay

import (
	"context"
	"database/sql/driver"
	"strings"

	"github.com/sqlaio/sqlaio/internal/sqltext"
)

// A Dialect is what an Engine knows about its kind of database. It is recognised
// by the driver's type; WithDialect sets it for others.
type Dialect interface {
	// String returns the dialect's name.
	String() string

	// text is how its statements are read.
	text() sqltext.Dialect
	// oneResult: a connection can have but one result open.
	oneResult() bool
	// checkShared fails if every connection has a database of its own.
	checkShared(ctx context.Context, l *lease) error
	// hasTable is a query whose first value is true or false, or if describes
	// returns true one that fails if the table is missing.
	hasTable(schema, name string) (query string, args []any)
	describes() bool
	// tableNames is a query.
	tableNames(schema string) (query string, args []any)
}

// The dialects.
var (
	SQLite     Dialect = sqlite{}
	MySQL      Dialect = mysql{} // MariaDB too
	PostgreSQL Dialect = postgresql{}
)

// WithDialect sets the dialect, for drivers that are not recognised by their type.
func WithDialect(d Dialect) Option { return func(c *config) { c.dialect = d } }

// dialectOf recognises drivers by the package of their type.
func dialectOf(d driver.Driver) Dialect {
	text, name := sqltext.DialectOf(d)
	for _, known := range []Dialect{SQLite, MySQL, PostgreSQL} {
		if known.text() == text {
			return known
		}
	}
	return unknown{name}
}

// readsOnly reports whether a query can change nothing.
func (c *config) readsOnly(query string) bool { return sqltext.ReadsOnly(query, c.dialect.text()) }

// configOf returns the configuration of a target's engine.
func configOf(to Target) *config {
	q, _, _ := to.target()
	return q.config
}

// unknown is a database that nothing is known about.
type unknown struct{ driver string }

func (u unknown) String() string                          { return "unknown" }
func (unknown) text() sqltext.Dialect                     { return sqltext.Unknown }
func (unknown) oneResult() bool                           { return true }
func (unknown) checkShared(context.Context, *lease) error { return nil }
func (unknown) describes() bool                           { return false }
func (unknown) hasTable(string, string) (string, []any)   { return "", nil }
func (unknown) tableNames(string) (string, []any)         { return "", nil }

type sqlite struct{ unknown }

func (sqlite) String() string        { return "SQLite" }
func (sqlite) text() sqltext.Dialect { return sqltext.SQLite }
func (sqlite) oneResult() bool       { return false }

func (sqlite) checkShared(ctx context.Context, l *lease) error {
	if dsn := l.pc.DSN(); dsn != "" {
		if private, _ := privateDatabase(dsn); private {
			return ErrMemoryDB
		}
		return nil
	}
	var file string
	err := l.sc.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&file)
	if err == nil && file == "" {
		return ErrMemoryDB
	}
	return nil // an SQLite without that pragma function cannot be asked
}

// hasTable finds views and temporary tables too.
func (sqlite) hasTable(schema, name string) (string, []any) {
	if schema == "" {
		return "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, 'main')) OR EXISTS (SELECT 1 FROM pragma_table_info(?1, 'temp'))", []any{name}
	}
	return "SELECT EXISTS (SELECT 1 FROM pragma_table_info(?1, ?2))", []any{name, schema}
}

// tableNames leaves out views, temporary tables and SQLite's own.
func (sqlite) tableNames(schema string) (string, []any) {
	if schema == "" {
		schema = "main"
	}
	return "SELECT name FROM " + quote(schema, '"') + ".sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY name", nil
}

type mysql struct{ unknown }

func (mysql) String() string        { return "MySQL" }
func (mysql) text() sqltext.Dialect { return sqltext.MySQL }

// hasTable finds views and temporary tables too.
func (mysql) hasTable(schema, name string) (string, []any) {
	table := quote(name, '`')
	if schema != "" {
		table = quote(schema, '`') + "." + table
	}
	return "DESCRIBE " + table, nil
}

func (mysql) describes() bool { return true }

// missingTable recognises what the MySQL drivers say of a table, view or
// database that does not exist.
func missingTable(err error) bool {
	for _, code := range []string{"1146 (42S02)", "1049 (42000)", "1051 (42S02)"} {
		if strings.Contains(err.Error(), code) {
			return true
		}
	}
	return false
}

func (mysql) tableNames(schema string) (string, []any) {
	return "SELECT table_name FROM information_schema.tables WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_type = 'BASE TABLE' ORDER BY table_name", []any{schema}
}

type postgresql struct{ unknown }

func (postgresql) String() string        { return "PostgreSQL" }
func (postgresql) text() sqltext.Dialect { return sqltext.PostgreSQL }

// hasTable finds views, partitioned and foreign tables too; without a schema,
// temporary tables and whatever the search path reaches.
func (postgresql) hasTable(schema, name string) (string, []any) {
	return `SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND c.relname = $2
		AND CASE WHEN $1::text = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = $1::text END)`, []any{schema, name}
}

func (postgresql) tableNames(schema string) (string, []any) {
	return `SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND n.nspname = coalesce(nullif($1::text, ''), current_schema()) ORDER BY 1`, []any{schema}
}

func quote(name string, with byte) string {
	q := string(with)
	return q + strings.ReplaceAll(name, q, q+q) + q
}
