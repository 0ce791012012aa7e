package tour

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sqlaio/sqlaio/driver/sqlite3"
	"github.com/sqlaio/sqlaio/overlay"
)

var errSoldOut = errors.New("sold out")

func Example_server() {
	inFile(func(ctx context.Context, file string) error {
		engine, err := overlay.Open("sqlite3", sqlite3.ServerDSN(file), overlay.WithWriter())
		if err != nil {
			return err
		}

		if _, err := engine.ExecAsync(ctx, "CREATE TABLE stock (item TEXT PRIMARY KEY, left INTEGER)").Await(ctx); err != nil {
			return err
		}

		// Many goroutines: what they write while a commit is under way shares the next one.
		r, err := engine.ExecAsync(ctx, "INSERT INTO stock VALUES (?, ?)", "lamp", 2).Await(ctx)
		if err != nil {
			return err // it is not in the file
		}
		rows, err := r.RowsAffected() // it is, and stays there if the power fails now

		// Reads go to other connections, and wait for no writer.
		left, err := overlay.Scalar[int](ctx, engine, "SELECT left FROM stock WHERE item = ?", "lamp").Await(ctx)

		// Several statements that belong together: a member of a group too. It may be called again.
		sold, err := overlay.Write(ctx, engine, func(ctx context.Context, c *sql.Conn) (left int, err error) {
			if err := c.QueryRowContext(ctx, "SELECT left FROM stock WHERE item = ?", "lamp").Scan(&left); err != nil {
				return 0, err
			}
			if left == 0 {
				return 0, errSoldOut // takes back what it has done, and nothing of the others'
			}
			_, err = c.ExecContext(ctx, "UPDATE stock SET left = left - 1 WHERE item = ?", "lamp")
			return left - 1, err
		}).Await(ctx)

		// A transaction that waits for something else in between has the writer for itself, in its turn.
		err = engine.WithTx(ctx, nil, func(ctx context.Context, conn *overlay.Conn) error {
			_, err := conn.ExecAsync(ctx, "UPDATE stock SET left = 10").Await(ctx)
			return err
		})

		// A report that must not see half of a change: read-only, beside the writer.
		err = engine.WithTx(ctx, &sql.TxOptions{ReadOnly: true}, report)

		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = engine.Shutdown(ending) // commits what has been sent

		fmt.Println(rows, left, sold, err)
		return err
	})
	// Output:
	// 10 in stock
	// 1 2 1 <nil>
}

func report(ctx context.Context, conn *overlay.Conn) error {
	left, err := overlay.Scalar[int](ctx, conn, "SELECT sum(left) FROM stock").Await(ctx)
	if err == nil {
		fmt.Println(left, "in stock")
	}
	return err
}
