//go:build cgo

package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"log"

	sqlite "github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/threadpin"
)

func Example() {
	db, err := sql.Open("aio", "sqlite3::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	var answer int
	err = db.QueryRow("select 6 * 7").Scan(&answer)
	fmt.Println(answer, err)
	// Output: 42 <nil>
}

// Register gives a configured driver a name of its own. The driver of such a
// database unwraps to the real one.
func ExampleRegister() {
	aio.Register("sqlite3-pinned", &sqlite.SQLiteDriver{},
		aio.WithThread(threadpin.WithName("sqlite"), threadpin.WithMaxThreads(50)))
	db, _ := sql.Open("sqlite3-pinned", ":memory:")
	defer db.Close()
	d := db.Driver().(interface{ Unwrap() sqldriver.Driver })
	fmt.Printf("%T %v\n", d.Unwrap(), db.Ping())
	// Output: *sqlite3.SQLiteDriver <nil>
}

// Raw runs a function with the inner connection, on its thread.
func ExampleRaw() {
	db, _ := sql.Open("aio", "sqlite3::memory:")
	defer db.Close()
	ctx := context.Background()
	conn, _ := db.Conn(ctx)
	defer conn.Close()
	err := aio.Raw(ctx, conn, func(inner sqldriver.Conn) error {
		return inner.(*sqlite.SQLiteConn).RegisterFunc("twice", func(n int64) int64 { return 2 * n }, true)
	})
	if err != nil {
		log.Fatal(err)
	}
	var n int
	conn.QueryRowContext(ctx, "select twice(21)").Scan(&n)
	fmt.Println(n)
	// Output: 42
}

// WithBatch(1, 1) reads rows strictly on demand.
func ExampleWithBatch() {
	db := aio.OpenDB(ownConnector{&sqlite.SQLiteDriver{}}, aio.WithBatch(1, 1))
	defer db.Close()
	var n int
	fmt.Println(db.QueryRow("select 42").Scan(&n), n)
	// Output: <nil> 42
}

func ExampleThread() {
	db, _ := sql.Open("aio", "sqlite3::memory:")
	defer db.Close()
	conn, _ := db.Conn(context.Background())
	defer conn.Close()
	w, err := aio.Thread(conn)
	if err != nil {
		log.Fatal(err)
	}
	before := w.Stats().Run
	conn.ExecContext(context.Background(), "create table t (a)")
	fmt.Println("hops:", w.Stats().Run-before)
	// Output: hops: 1
}

// ownConnector opens connections of one driver with one name.
type ownConnector struct{ driver sqldriver.Driver }

func (c ownConnector) Connect(context.Context) (sqldriver.Conn, error) {
	return c.driver.Open(":memory:")
}
func (c ownConnector) Driver() sqldriver.Driver { return c.driver }
