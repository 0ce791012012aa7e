package tour

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/threadpin"
)

func Example_cancel() {
	inFile(func(ctx context.Context, file string) error {
		db, err := sql.Open("aio", "sqlite3:"+file)
		if err != nil {
			return err
		}
		defer db.Close()
		const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
		var n int

		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		err = db.QueryRowContext(short, endless).Scan(&n)         // context deadline exceeded
		fmt.Println(err, "-", db.Stats().OpenConnections, "open") // stopped in SQLite; the connection is kept
		return nil
	})
	// Output: context deadline exceeded - 1 open
}

func Example_raw() {
	inFile(func(ctx context.Context, file string) error {
		db, err := sql.Open("aio", "sqlite3:"+file)
		if err != nil {
			return err
		}
		defer db.Close()
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()

		// The real connection, on its thread.
		err = aio.Raw(ctx, conn, func(inner driver.Conn) error {
			return inner.(*sqlite3.SQLiteConn).RegisterFunc("thread", threadpin.CurrentThreadID, false)
		})
		if err != nil {
			return err
		}
		var thread int
		err = conn.QueryRowContext(ctx, "SELECT thread()").Scan(&thread) // always the same one
		if err != nil {
			return err
		}

		worker, err := aio.Thread(conn)
		if err != nil {
			return err
		}
		fmt.Println(thread == worker.ThreadID())
		return nil
	})
	// Output: true
}

func Example_options() {
	inFile(func(ctx context.Context, file string) error {
		enterNamespace := func() error { fmt.Println("on the new thread"); return nil }

		aio.Register("sqlite3-own", &sqlite3.SQLiteDriver{},
			aio.WithThread(
				threadpin.WithName("sqlite"),           // see it in top -H
				threadpin.WithOnStart(enterNamespace)), // runs on the thread, before it connects
			aio.WithBatch(64, 1<<16)) // read at most 64 rows, or 64 KiB, ahead
		db, err := sql.Open("sqlite3-own", file)
		if err != nil {
			return err
		}

		defer db.Close()
		return db.PingContext(ctx)
	})
	// Output: on the new thread
}
