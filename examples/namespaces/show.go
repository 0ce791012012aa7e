//go:build linux

package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-sql-driver/mysql"

	aio "github.com/sqlaio/sqlaio/driver"
)

// show connects to the same address from three namespaces, and cancels queries.
func show(ctx context.Context, inside, empty string) error {
	host := networkOf()
	tcp, err := mysql.ParseDSN(dsn)
	if err != nil {
		return err
	}

	// The server is not in this program's own namespace, nor in an empty one.
	if err := unreachable(ctx, "the program's own namespace", tcp); err != nil {
		return err
	}
	if err := unreachable(ctx, "an empty namespace", tcp, in(empty)); err != nil {
		return err
	}

	// In the server's own namespace, the connection's thread finds it.
	db, err := open(tcp, in(inside))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := visit(ctx, db); err != nil {
		return err
	}
	if now := networkOf(); now != host {
		return fmt.Errorf("the program's other threads went from %s to %s", host, now)
	}
	fmt.Printf("This goroutine's thread stayed in %s.\n", host)

	// A cancelled query loses its connection: KILL QUERY is not sent from its thread.
	kept, err := cancelled(ctx, db)
	if err != nil {
		return err
	}
	fmt.Printf("Cancelled with the ordinary dialer: the connection was kept: %v.\n", kept)

	// With a dialer that enters the namespace, KILL QUERY finds the server too.
	dialing := tcp.Clone()
	dialing.DialFunc = dialIn(inside)
	db2, err := open(dialing, in(inside))
	if err != nil {
		return err
	}
	defer db2.Close()
	if kept, err = cancelled(ctx, db2); err != nil {
		return err
	}
	fmt.Printf("Cancelled with a dialer that enters the namespace: the connection was kept: %v.\n", kept)
	if !kept {
		return errors.New("KILL QUERY has not reached the server")
	}
	return nil
}

func open(cfg *mysql.Config, opts ...aio.Option) (*sql.DB, error) {
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	return aio.OpenDB(c, opts...), nil
}

// unreachable checks that the server cannot be reached.
func unreachable(ctx context.Context, where string, cfg *mysql.Config, opts ...aio.Option) error {
	if len(opts) == 0 { // another server may be listening on the host
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			fmt.Printf("In %s another server listens on %s.\n", where, address)
			return nil
		}
	}
	db, err := open(cfg, opts...)
	if err != nil {
		return err
	}
	defer db.Close()
	if err = db.PingContext(ctx); err == nil {
		return fmt.Errorf("the server was reached from %s", where)
	}
	fmt.Printf("From %s: %v.\n", where, err)
	return nil
}

// visit uses two connections at once.
func visit(ctx context.Context, db *sql.DB) error {
	for range 2 {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		var id int
		if err := conn.QueryRowContext(ctx, "SELECT connection_id()").Scan(&id); err != nil {
			return err
		}
		err = aio.Raw(ctx, conn, func(driver.Conn) error {
			fmt.Printf("Session %d, from a thread in %s.\n", id, networkOf())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cancelled cancels a query, and reports whether its connection still works.
func cancelled(ctx context.Context, db *sql.DB) (kept bool, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	var n int
	err = conn.QueryRowContext(short, "SELECT count(*) FROM seq_1_to_1000000000 a, seq_1_to_1000000000 b").Scan(&n)
	if !errors.Is(err, context.DeadlineExceeded) {
		return false, fmt.Errorf("an endless query ended with %v", err)
	}
	return conn.PingContext(ctx) == nil, nil
}
