package overlay_test

import (
	"context"
	"errors"
	"fmt"
	"log"

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
