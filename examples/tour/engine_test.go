package tour

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sqlaio/sqlaio/overlay"
)

// User is a row of the table users.
type User struct {
	ID   int
	Name string `db:"name"` // the tag, or else the field's name, is the column's
}

func Example_calls() {
	inFile(func(ctx context.Context, file string) error {
		engine, err := overlay.Open("sqlite3", file) // or ("mysql", dsn), or overlay.New(db)
		if err != nil {
			return err
		}
		defer engine.Shutdown(ctx) // waits for what is under way

		users := overlay.Collect[User](ctx, engine, "SELECT id, name FROM users WHERE name LIKE ? ORDER BY id", "D%")
		count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users") // both are under way

		n, err := count.Await(ctx)
		if err != nil {
			return err
		}
		found, err := users.Await(ctx)
		if err != nil {
			return err
		}
		fmt.Println(found, "of", n)

		stream, err := engine.StreamAsync(ctx, "SELECT id, name FROM users").Await(ctx)
		if err != nil {
			return err
		}
		for user, err := range overlay.Each[User](ctx, stream) { // as they are fetched
			if err != nil {
				return err
			}
			fmt.Println(user.ID, user.Name)
		}
		return nil
	})
	// Output:
	// [{3 Dan} {5 Dana}] of 5
	// 1 Jeremy
	// 2 Natalie
	// 3 Dan
	// 4 Casey
	// 5 Dana
}

func Example_combine() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		var squares []*overlay.Future[int]
		for i := range 100 {
			squares = append(squares, overlay.Scalar[int](ctx, engine, "SELECT ? * ?", i, i))
		}
		for f := range overlay.AsCompleted(ctx, squares[:3]...) { // the quickest first
			f.OnDone(func(n int, err error) { /* or be called */ })
		}
		values, err := overlay.All(squares...).Await(ctx) // in order; the first error cancels the rest
		if err != nil {
			return err
		}

		fmt.Println(len(values), values[9])
		return nil
	})
	// Output: 100 81
}

func Example_transaction() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		err := engine.WithTx(ctx, nil, func(ctx context.Context, conn *overlay.Conn) error {
			_, err := conn.ExecAsync(ctx, "UPDATE users SET name = upper(name)").Await(ctx)
			if err != nil {
				return err // rolls back, as a panic does
			}
			err = conn.WithNested(ctx, func(ctx context.Context, conn *overlay.Conn) error { // a savepoint
				_, err := conn.ExecAsync(ctx, "INSERT INTO users (name) VALUES ('DAN')").Await(ctx)
				return err // UNIQUE constraint failed: the savepoint is rolled back
			})
			fmt.Println(err)
			return nil // commits
		})
		if err != nil {
			return err
		}

		fmt.Println(overlay.Scalar[string](ctx, engine, "SELECT group_concat(name) FROM (SELECT name FROM users ORDER BY id)").Await(ctx))
		return nil
	})
	// Output:
	// UNIQUE constraint failed: users.name
	// JEREMY,NATALIE,DAN,CASEY,DANA <nil>
}

func Example_conn() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		conn, err := engine.ConnectAsync(ctx).Await(ctx)
		if err != nil {
			return err
		}
		tx, err := conn.BeginAsync(ctx, nil).Await(ctx)
		if err != nil {
			return err
		}
		deleted := conn.ExecAsync(ctx, "DELETE FROM users WHERE name = 'Dan'") // calls run in the order in which they are made
		left := overlay.Scalar[int](ctx, conn, "SELECT count(*) FROM users")
		if _, err := deleted.Await(ctx); err != nil {
			return err
		}
		if _, err := tx.RollbackAsync(ctx).Await(ctx); err != nil {
			return err
		}
		if _, err := conn.CloseAsync(ctx).Await(ctx); err != nil {
			return err
		}

		fmt.Println(left.Await(ctx))
		fmt.Println(overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users").Await(ctx))
		return nil
	})
	// Output:
	// 4 <nil>
	// 5 <nil>
}

func Example_oneHop() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		names := [][]any{{"Isaac"}, {"Sally"}, {"Kim"}}
		inserted := engine.ExecManyAsync(ctx, "INSERT INTO users (name) VALUES (?)", names, overlay.InTx(nil))
		results, err := inserted.Await(ctx)
		if err != nil {
			return err
		}

		// A whole function: ordinary database/sql, on the connection's thread.
		version := overlay.RunInThread(ctx, engine, func(ctx context.Context, c *sql.Conn) (int, error) {
			return migrate(ctx, c)
		})
		v, err := version.Await(ctx)
		if err != nil {
			return err
		}

		fmt.Println(len(results), "inserted, version", v)
		return nil
	})
	// Output: 3 inserted, version 1
}

// migrate is a function that knows nothing about the overlay.
func migrate(ctx context.Context, c *sql.Conn) (version int, err error) {
	tx, err := c.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return 0, err
	}
	if version == 0 {
		if _, err := tx.ExecContext(ctx, "ALTER TABLE users ADD COLUMN email TEXT; PRAGMA user_version = 1"); err != nil {
			return 0, err
		}
		version = 1
	}
	return version, tx.Commit()
}

// Page is what a handler shows.
type Page struct {
	Users []User
	Of    int
}

func Example_join() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		users := overlay.Collect[User](ctx, engine, "SELECT id, name FROM users WHERE id < 3")
		count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users")

		page := overlay.Join2(users, count, func(users []User, n int) (Page, error) { // of different types
			return Page{users, n}, nil
		})

		got, err := page.Await(ctx)
		fmt.Println(got, err)
		return nil
	})
	// Output: {[{1 Jeremy} {2 Natalie}] 5} <nil>
}

func Example_retry() {
	step(func(ctx context.Context, engine *overlay.Engine) error {
		rename := func(ctx context.Context, conn *overlay.Conn) error {
			_, err := conn.ExecAsync(ctx, "UPDATE users SET name = 'Daniel' WHERE name = 'Dan'").Await(ctx)
			return err
		}

		err := engine.RetryTx(ctx, nil, rename) // again after deadlocks, conflicts and lost connections
		if errors.Is(err, overlay.ErrOutcomeUnknown) {
			fmt.Println("the commit was not answered: look at the data")
		}

		err = engine.RetryTx(ctx, nil, rename,
			overlay.WithAttempts(5), // in a request, where 20 are too many
			overlay.WithRetryHook(func(ctx context.Context, attempts int, err error) error {
				slog.WarnContext(ctx, "a transaction is repeated", "attempts", attempts, "error", err)
				return nil
			}))

		fmt.Println(err)
		return nil
	})
	// Output: <nil>
}

func Example_dispatcher() {
	inFile(func(ctx context.Context, file string) error {
		loop := make(chan func(), 64) // an event loop, a UI, an actor

		engine, err := overlay.Open("sqlite3", file,
			overlay.WithDispatcher(func(fn func()) { loop <- fn })) // callbacks go there
		if err != nil {
			return err
		}
		defer engine.Shutdown(ctx)
		overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users").OnDone(func(n int, err error) {
			fmt.Println("on the loop:", n, err)
		})

		(<-loop)()
		return nil
	})
	// Output: on the loop: 5 <nil>
}
