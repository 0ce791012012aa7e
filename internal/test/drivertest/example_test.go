package drivertest_test

import (
	"database/sql"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

func ExampleNew() {
	d := drivertest.New(drivertest.Legacy)
	d.On("Conn.Exec", drivertest.First(1, drivertest.Return(drivertest.ErrScripted)))

	db := sql.OpenDB(d.Connector("dsn"))
	for range 2 {
		_, err := db.Exec("affected 1", 42)
		fmt.Println(err)
	}
	db.Close()

	for _, call := range d.Log() {
		fmt.Println(call)
	}
	fmt.Println(d.OpenObjects(), d.Violations())
	// Output:
	// drivertest: scripted failure
	// <nil>
	// c1 Connector.Connect ["dsn"]
	// c1 Conn.Exec "affected 1" [int64(42)]
	// c1 Conn.Exec "affected 1" [int64(42)]
	// c1 Conn.Close
	// [] []
}
