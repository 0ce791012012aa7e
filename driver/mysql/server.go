package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// session names a session of a server in a way that other sessions can compare.
type session struct {
	server string // the same for all sessions of one server process, and only for them
	id     string // CONNECTION_ID(), decimal
}

// A host name and a port are not enough: they may repeat in different networks
// or containers. UUID_SHORT is made of the server's id, the second in which it
// started, and 24 bits that count; every version of MySQL and MariaDB has it.
const sessionQuery = "SELECT CONNECTION_ID(), @@hostname, @@port, UUID_SHORT() >> 24"

// sessionOf asks c's server who it is. c must be idle.
func sessionOf(ctx context.Context, c driver.Conn) (session, error) {
	q, ok := c.(driver.QueryerContext)
	if !ok {
		return session{}, errors.New("mysql: the connection cannot query")
	}
	rows, err := q.QueryContext(ctx, sessionQuery, nil)
	if err != nil {
		return session{}, err
	}
	row := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(row)
	var s session
	if err == nil && len(row) == 4 {
		s = session{id: text(row[0]), server: text(row[1]) + " " + text(row[2]) + " " + text(row[3])}
	}
	return s, errors.Join(err, rows.Close())
}

// text is the value's text in a result, whatever type the driver gives it.
func text(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b) // a copy: the driver reuses b
	}
	return fmt.Sprint(v)
}
