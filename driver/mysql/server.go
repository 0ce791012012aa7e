package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// session identifies a session of a server.
type session struct {
	server string // the same for all sessions of one server process, and for no others
	id     string // CONNECTION_ID(), decimal
}

// A host name and a port are not enough: different networks or containers may use
// the same ones. UUID_SHORT consists of the server's id, the second in which it
// started, and a counter of 24 bits. Every version of MySQL and MariaDB has it.
const sessionQuery = "SELECT CONNECTION_ID(), @@hostname, @@port, UUID_SHORT() >> 24"

// sessionOf asks c's server who it is. c must be idle.
func sessionOf(ctx context.Context, c driver.Conn) (session, error) {
	row, err := query(ctx, c, sessionQuery)
	if err != nil {
		return session{}, err
	}
	if len(row) != 4 {
		return session{}, errors.New("mysql: the server does not say who it is")
	}
	return session{id: row[0], server: row[1] + " " + row[2] + " " + row[3]}, nil
}

// query returns the first row of a result. c must be idle. When ctx ends the
// driver closes c.
func query(ctx context.Context, c driver.Conn, query string) ([]string, error) {
	q, ok := c.(driver.QueryerContext)
	if !ok {
		return nil, errors.New("mysql: the connection cannot query")
	}
	rows, err := q.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	row := make([]driver.Value, len(rows.Columns()))
	err = rows.Next(row)
	texts := make([]string, len(row))
	for n, v := range row {
		texts[n] = text(v)
	}
	return texts, errors.Join(err, rows.Close())
}

// text is the value's text in a result, whatever type the driver gives it.
func text(v driver.Value) string {
	if b, ok := v.([]byte); ok {
		return string(b) // a copy: the driver reuses b
	}
	return fmt.Sprint(v)
}
