package driver

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// name is what a driver is registered as, and all that it must not wrap.
const name = "aio"

// driverName is what the part of a data source name before the colon must look
// like before an error may quote it, if no driver has that name: it may hold a
// password.
var driverName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,31}$`)

// split cuts "<driver>:<dsn>" at the first colon and looks the driver up.
func split(dsn string) (driver.Driver, string, error) {
	prefix, rest, ok := strings.Cut(dsn, ":")
	if !ok || !driverName.MatchString(prefix) && !slices.Contains(sql.Drivers(), prefix) {
		return nil, "", fmt.Errorf("%w: %s; registered drivers: %s", ErrNoDriver, form(rest), registered())
	}
	if prefix == name {
		return nil, "", errors.New(`aio: "aio:" wraps itself; name the real driver once`)
	}
	d, err := lookup(prefix, rest)
	return d, rest, err
}

// form says what a data source name looks like, with an example like dsn, of which
// it shows nothing.
func form(dsn string) string {
	example := "sqlite3:app.db"
	switch {
	case strings.HasPrefix(dsn, "//"):
		example = "pgx:postgres://user:password@host/db"
	case strings.Contains(dsn, "@"):
		example = "mysql:user:password@tcp(host:3306)/db"
	}
	return fmt.Sprintf(`the data source name must be "<driver>:<dsn>", as in %q`, example)
}

func registered() string {
	names := slices.DeleteFunc(sql.Drivers(), func(s string) bool { return s == name })
	if len(names) == 0 {
		return "none (forgotten import?)"
	}
	return strings.Join(names, ", ")
}

// known maps a registered driver's name to the driver: a name is never
// registered twice, so an entry is good for ever.
var known sync.Map

// lookup finds a driver by way of sql.Open, for database/sql has no other. The
// DSN goes along because a driver may refuse to open without a good one; its
// error is the driver's own.
func lookup(prefix, dsn string) (driver.Driver, error) {
	if d, ok := known.Load(prefix); ok {
		return d.(driver.Driver), nil
	}
	if !slices.Contains(sql.Drivers(), prefix) {
		return nil, fmt.Errorf("%w: %q is not registered (forgotten import?); %s; registered drivers: %s",
			ErrNoDriver, prefix, form(dsn), registered())
	}
	db, err := sql.Open(prefix, dsn)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	d := db.Driver()
	known.Store(prefix, d)
	return d, nil
}
