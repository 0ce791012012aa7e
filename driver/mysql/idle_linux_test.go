//go:build !threadpin_portable

package mysql

import (
	"context"
	"fmt"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
)

// A call on a connection of the pool is one hop: whether the server has closed it is seen
// without one. One that it has closed gets no call.
func TestPooledCallIsOneHop(t *testing.T) {
	ctx := context.Background()
	db := openDB(t)
	db.SetMaxOpenConns(1)
	killer := openDB(t)
	for range 20 {
		c, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		w, err := aio.Thread(c)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		before := w.Stats().Run
		for range 5 {
			if _, err := db.ExecContext(ctx, "DO 1"); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Stats().Run - before; n != 5 {
			t.Fatalf("%d hops for 5 calls", n)
		}
		id := sessionID(t, db)
		if _, err := killer.ExecContext(ctx, fmt.Sprint("KILL CONNECTION ", id)); err != nil {
			t.Fatal(err)
		}
		for n := 1; n > 0; {
			if err := killer.QueryRow("SELECT count(*) FROM information_schema.processlist WHERE ID = ?", id).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.ExecContext(ctx, "DO 1"); err != nil {
			t.Fatalf("a call after the server has closed the connection: %v", err)
		}
		if sessionID(t, db) == id {
			t.Fatal("the connection has survived")
		}
	}
}
