package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

func ExampleEngine_RetryTx() {
	ctx := context.Background()
	engine, err := overlay.Open("sqlite3", ":memory:")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)
	engine.ExecAsync(ctx, "CREATE TABLE account (name TEXT, balance INTEGER)").Await(ctx)
	engine.ExecAsync(ctx, "INSERT INTO account VALUES ('Ada', 100), ('Bob', 0)").Await(ctx)

	err = engine.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := c.ExecAsync(ctx, "UPDATE account SET balance = balance - 30 WHERE name = 'Ada'").Await(ctx)
		if err != nil {
			return err
		}
		_, err = c.ExecAsync(ctx, "UPDATE account SET balance = balance + 30 WHERE name = 'Bob'").Await(ctx)
		return err
	})
	switch {
	case errors.Is(err, overlay.ErrOutcomeUnknown):
		fmt.Println("look whether Bob has got it:", err)
	case err != nil:
		fmt.Println("nothing was moved:", err)
	}
	fmt.Println(overlay.Scalar[int](ctx, engine, "SELECT balance FROM account WHERE name = 'Bob'").Await(ctx))
	// Output: 30 <nil>
}

// A function of ordinary database/sql, such as queries that sqlc has generated for a
// *sql.Conn, is repeated as a transaction.
func ExampleEngine_RetryTx_runInThread() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob")
	defer end()

	rename := func(ctx context.Context, c *sql.Conn) (old string, err error) {
		if err := c.QueryRowContext(ctx, "SELECT name FROM users WHERE id = 2").Scan(&old); err != nil {
			return "", err
		}
		_, err = c.ExecContext(ctx, "UPDATE users SET name = ? WHERE id = 2", old+"by")
		return old, err
	}
	err := engine.RetryTx(ctx, nil, func(ctx context.Context, conn *overlay.Conn) error {
		old, err := overlay.RunInThread(ctx, conn, rename).Await(ctx) // in the transaction
		fmt.Println("it was", old)
		return err
	})
	fmt.Println(err)
	fmt.Println(overlay.Scalar[string](ctx, engine, "SELECT name FROM users WHERE id = 2").Await(ctx))
	// Output:
	// it was Bob
	// <nil>
	// Bobby <nil>
}

// A hook logs what is repeated, and puts back what the function has counted.
func ExampleRetryOption() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob")
	defer end()

	attempt, seen := 0, 0
	err := engine.RetryTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		n, err := overlay.Scalar[int](ctx, c, "SELECT count(*) FROM users").Await(ctx)
		if err != nil {
			return err
		}
		seen += n
		if attempt++; attempt == 1 {
			return errors.New("database is locked")
		}
		return nil
	},
		overlay.WithAttempts(3),
		overlay.WithPauses(time.Millisecond, 10*time.Millisecond),
		overlay.WithRetryHook(func(ctx context.Context, attempts int, err error) error {
			fmt.Printf("attempt %d: %v\n", attempts, err)
			seen = 0
			return nil
		}))
	fmt.Println(seen, err)
	// Output:
	// attempt 1: database is locked
	// 2 <nil>
}
