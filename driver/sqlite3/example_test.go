//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	_ "github.com/sqlaio/sqlaio/driver/sqlite3" // in place of go-sqlite3
)

// A statement that never ends is stopped, and its connection goes on.
func Example() {
	db, err := sql.Open("aio", "sqlite3::memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = db.ExecContext(ctx, `
		WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
		SELECT count(*) FROM forever`)
	fmt.Println(err)
	fmt.Println(db.Ping(), db.Stats().OpenConnections)
	// Output:
	// context deadline exceeded
	// <nil> 1
}
