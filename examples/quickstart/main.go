// Command quickstart shows ordinary database/sql on a real SQLite file, with each
// connection on its own thread, and then asynchronous calls on the same database.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	sqlite "github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
	_ "github.com/sqlaio/sqlaio/driver/sqlite3" // in place of go-sqlite3
	"github.com/sqlaio/sqlaio/threadpin"
)

func main() {
	log.SetFlags(0)
	dir, err := os.MkdirTemp("", "quickstart")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := run(filepath.Join(dir, "users.db")); err != nil {
		log.Fatal(err)
	}
}

func run(file string) error {
	ctx := context.Background()

	// sql.Open("aio", "sqlite3:"+file) would do. Registering the driver under another
	// name lets us add an SQL function that says which thread it runs on.
	aio.Register("sqlite3-with-thread", &sqlite.SQLiteDriver{
		ConnectHook: func(c *sqlite.SQLiteConn) error {
			return c.RegisterFunc("thread", threadpin.CurrentThreadID, false)
		},
	})
	db, err := sql.Open("sqlite3-with-thread", file)
	if err != nil {
		return err
	}
	defer db.Close()

	for _, step := range []struct {
		name string
		do   func(context.Context, *sql.DB) error
	}{
		{"create and insert", create},
		{"query", query},
		{"transaction", transaction},
		{"cancel", cancelled},
		{"asynchronous calls", async},
		{"fan-out", fanOut},
		{"asynchronous cancel", asyncCancelled},
		{"batch", batch},
	} {
		start := time.Now()
		if err := step.do(ctx, db); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("    (%s took %v)\n\n", step.name, time.Since(start).Round(10*time.Microsecond))
	}
	return nil
}

func create(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)"); err != nil {
		return err
	}
	for _, name := range []string{"Jeremy Goodwin", "Natalie Hurley", "Dan Rydell", "Casey McCall", "Dana Whitaker"} {
		if _, err := db.ExecContext(ctx, "INSERT INTO users (name) VALUES (?)", name); err != nil {
			return err
		}
	}
	fmt.Println("Five users are in a new SQLite file.")
	return nil
}

func query(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT id, name, thread() FROM users WHERE name LIKE 'D%'")
	if err != nil {
		return err
	}
	defer rows.Close()
	fmt.Printf("Those that start with D (this goroutine is on thread %d):\n", threadpin.CurrentThreadID())
	for rows.Next() {
		var id, thread int
		var name string
		if err := rows.Scan(&id, &name, &thread); err != nil {
			return err
		}
		fmt.Printf("    %d  %-14s from thread %d\n", id, name, thread)
	}
	return rows.Err()
}

func transaction(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	res, err := tx.ExecContext(ctx, "UPDATE users SET name = upper(name) WHERE name LIKE 'D%'")
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	fmt.Printf("A transaction has changed %d users.\n", n)
	return tx.Commit()
}

// cancelled stops an endless query, and then goes on using the same connection.
func cancelled(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()

	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	var n int
	err = conn.QueryRowContext(short, `
		WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
		SELECT count(*) FROM forever`).Scan(&n)
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("an endless query ended with %v", err)
	}
	fmt.Printf("An endless query with a timeout of 100ms ended after %v: %v.\n",
		time.Since(start).Round(time.Millisecond), err)

	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM users").Scan(&n); err != nil {
		return err
	}
	fmt.Printf("The same connection goes on: %d users.\n", n)
	return nil
}
