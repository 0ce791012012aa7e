//go:build cgo

package driver_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"fmt"
	"log"

	aio "github.com/sqlaio/sqlaio/driver"
)

// Two statements in one hop, and nobody waits for them but the last line.
func ExampleHandle() {
	db, _ := sql.Open("aio", "sqlite3::memory:")
	defer db.Close()
	ctx := context.Background()
	conn, _ := db.Conn(ctx)
	defer conn.Close()
	h, err := aio.HandleOf(conn)
	if err != nil {
		log.Fatal(err)
	}

	done := make(chan error, 1)
	h.Worker().Submit(func() { // on the connection's thread
		_, err := h.Exec(ctx, "CREATE TABLE t (a)", nil)
		if err == nil {
			_, err = h.Exec(ctx, "INSERT INTO t VALUES (?)", []sqldriver.NamedValue{{Ordinal: 1, Value: int64(42)}})
		}
		done <- err
	}, nil)
	fmt.Println(<-done)
	// Output: <nil>
}

func ExampleHandleStmt() {
	db, _ := sql.Open("aio", "sqlite3::memory:")
	defer db.Close()
	ctx := context.Background()
	conn, _ := db.Conn(ctx)
	defer conn.Close()
	conn.ExecContext(ctx, "CREATE TABLE t (a INTEGER PRIMARY KEY)")
	h, err := aio.HandleOf(conn)
	if err != nil {
		log.Fatal(err)
	}

	w := h.Worker()
	before := w.Stats().Run
	err = w.Run(ctx, func() {
		insert, err := h.Prepare(ctx, "INSERT INTO t VALUES (?)")
		if err != nil {
			log.Fatal(err)
		}
		defer insert.Close()
		for i := range 3 {
			r, err := insert.Exec(ctx, []sqldriver.NamedValue{{Ordinal: 1, Value: int64(i + 10)}})
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(r.LastInsertId())
		}
	})
	fmt.Println(err, "hops:", w.Stats().Run-before)
	// Output:
	// 10 <nil>
	// 11 <nil>
	// 12 <nil>
	// <nil> hops: 1
}
