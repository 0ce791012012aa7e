package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"

	"github.com/sqlaio/sqlaio/overlay"
)

func ExampleConn() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	conn, err := engine.ConnectAsync(ctx).Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	// Calls on one connection are made in this order, so only the last is awaited.
	conn.ExecAsync(ctx, "CREATE TEMP TABLE basket (item TEXT)")
	conn.ExecAsync(ctx, "INSERT INTO basket VALUES ('tea'), ('cake')")
	fmt.Println(conn.ScalarAsync(ctx, "SELECT count(*) FROM basket").Await(ctx))
	conn.CloseAsync(ctx).Await(ctx)
	fmt.Println(conn.Closed())
	// Output:
	// 2 <nil>
	// true
}

func ExampleConn_WithTx() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	insert := func(ctx context.Context, c *overlay.Conn, name string) error {
		_, err := c.ExecAsync(ctx, "INSERT INTO users (name) VALUES (?)", name).Await(ctx)
		return err
	}
	err := engine.WithConn(ctx, func(ctx context.Context, conn *overlay.Conn) error {
		return conn.WithTx(ctx, nil, func(ctx context.Context, conn *overlay.Conn) error {
			if err := insert(ctx, conn, "Ada"); err != nil {
				return err
			}
			err := conn.WithNested(ctx, func(ctx context.Context, conn *overlay.Conn) error {
				if err := insert(ctx, conn, "Bob"); err != nil {
					return err
				}
				return errors.New("not Bob") // rolls back to the savepoint
			})
			fmt.Println(err)
			return insert(ctx, conn, "Cyd")
		})
	})
	fmt.Println(err)
	fmt.Println(engine.ScalarAsync(ctx, "SELECT group_concat(name) FROM users").Await(ctx))
	// Output:
	// not Bob
	// <nil>
	// Ada,Cyd <nil>
}

func ExampleTx() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada")
	defer end()

	engine.WithConn(ctx, func(ctx context.Context, conn *overlay.Conn) error {
		tx, err := conn.BeginAsync(ctx, nil).Await(ctx)
		if err != nil {
			return err
		}
		defer func() { tx.CloseAsync(ctx).Await(ctx) }() // does nothing after a commit
		if _, err := conn.ExecAsync(ctx, "DELETE FROM users").Await(ctx); err != nil {
			return err
		}
		fmt.Println(conn.ScalarAsync(ctx, "SELECT count(*) FROM users").Await(ctx))
		_, err = tx.RollbackAsync(ctx).Await(ctx)
		return err
	})
	fmt.Println(engine.ScalarAsync(ctx, "SELECT count(*) FROM users").Await(ctx))
	// Output:
	// 0 <nil>
	// 1 <nil>
}

func ExampleTarget() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada")
	defer end()

	users := func(to overlay.Target) *overlay.Future[int] {
		return overlay.Scalar[int](ctx, to, "SELECT count(*) FROM users")
	}
	fmt.Println(users(engine).Await(ctx))
	engine.WithConn(ctx, func(ctx context.Context, conn *overlay.Conn) error {
		fmt.Println(users(conn).Await(ctx))
		return nil
	})
	// Output:
	// 1 <nil>
	// 1 <nil>
}

func ExampleRunInThread() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob")
	defer end()

	lengths := overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (map[string]int, error) {
		rows, err := c.QueryContext(ctx, "SELECT name, length(name) FROM users") // no hop
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		lengths := make(map[string]int)
		for rows.Next() {
			var name string
			var length int
			if err := rows.Scan(&name, &length); err != nil {
				return nil, err
			}
			lengths[name] = length
		}
		return lengths, rows.Err()
	})
	fmt.Println(lengths.Await(ctx))
	// Output: map[Ada:3 Bob:3] <nil>
}
