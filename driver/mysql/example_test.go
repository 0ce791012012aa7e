package mysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log"
	"net"

	"github.com/go-sql-driver/mysql"

	aiomysql "github.com/sqlaio/sqlaio/driver/mysql"
)

// A dialer of the program's own, here through a tunnel, gets its connections
// cancelled by KILL QUERY, too.
func ExampleWrapConn() {
	mysql.RegisterDialContext("tunnel", func(ctx context.Context, addr string) (net.Conn, error) {
		var d net.Dialer // in place of the tunnel's
		c, err := d.DialContext(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		return aiomysql.WrapConn(c), nil
	})
	defer mysql.DeregisterDialContext("tunnel")

	// It connects when it is first used.
	db, err := sql.Open("aio", "mysql:user:password@tunnel(db.example.com:3306)/shop")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	fmt.Printf("%T\n", db.Driver().(interface{ Unwrap() driver.Driver }).Unwrap())
	// Output: *mysql.MySQLDriver
}
