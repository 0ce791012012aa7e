package overlay_test

import (
	"context"
	"fmt"
	"log"

	"github.com/sqlaio/sqlaio/overlay"
)

func ExampleStatement() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	_, err := engine.BatchAsync(ctx, []overlay.Statement{
		{Query: "INSERT INTO users (name) VALUES (?)", Args: []any{"Ada"}},
		{Query: "UPDATE users SET name = upper(name)"},
	}).Await(ctx) // one hop for both
	fmt.Println(err)
	fmt.Println(engine.ScalarAsync(ctx, "SELECT name FROM users").Await(ctx))
	// Output:
	// <nil>
	// ADA <nil>
}

func ExampleBatchResult() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada")
	defer end()

	results, err := engine.BatchAsync(ctx, []overlay.Statement{
		{Query: "UPDATE users SET name = 'Bob'"},
		{Query: "UPDATE nowhere SET name = 'Cyd'"},
		{Query: "DELETE FROM users"},
	}).Await(ctx)
	fmt.Println(err)
	for _, r := range results {
		if r.Err != nil {
			fmt.Println(r.Err)
			continue
		}
		fmt.Println(r.Result.RowsAffected())
	}
	// Output:
	// overlay: statement 2 of 3: no such table: nowhere
	// 1 <nil>
	// no such table: nowhere
	// overlay: not run, since a statement before it has failed
}

func ExampleBatchOption() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada")
	defer end()

	names := [][]any{{"Bob"}, {"Ada"}, {"Cyd"}} // Ada is there already
	for _, opts := range [][]overlay.BatchOption{
		{overlay.InTx(nil)},                      // all or nothing
		{overlay.InTx(nil), overlay.KeepGoing()}, // those that can be inserted
	} {
		_, err := engine.ExecManyAsync(ctx, "INSERT INTO users (name) VALUES (?)", names, opts...).Await(ctx)
		fmt.Println(err)
		fmt.Println(engine.ScalarAsync(ctx, "SELECT group_concat(name) FROM users").Await(ctx))
	}
	// Output:
	// overlay: statement 2 of 3: UNIQUE constraint failed: users.name
	// Ada <nil>
	// overlay: statement 2 of 3: UNIQUE constraint failed: users.name
	// Ada,Bob,Cyd <nil>
}

func ExampleEngine_ExecManyAsync() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	results, err := engine.ExecManyAsync(ctx, "INSERT INTO users (name) VALUES (?)",
		[][]any{{"Ada"}, {"Bob"}}, overlay.InTx(nil)).Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[1].Result.LastInsertId())
	// Output: 2 <nil>
}

func ExampleTableOption() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	engine.WithConn(ctx, func(ctx context.Context, conn *overlay.Conn) error {
		conn.ExecAsync(ctx, "CREATE TEMP TABLE basket (item TEXT)").Await(ctx)
		fmt.Println(engine.HasTableAsync(ctx, "basket").Await(ctx))
		fmt.Println(engine.HasTableAsync(ctx, "basket", overlay.On(conn)).Await(ctx))
		fmt.Println(engine.HasTableAsync(ctx, "basket", overlay.On(conn), overlay.InSchema("main")).Await(ctx))
		return nil
	})
	fmt.Println(engine.TableNamesAsync(ctx).Await(ctx))
	// Output:
	// false <nil>
	// true <nil>
	// false <nil>
	// [users] <nil>
}

// An event loop has the functions given to OnDone called where it runs.
func ExampleOption() {
	ctx := context.Background()
	loop := make(chan func(), 10)
	engine, err := overlay.Open("sqlite3", ":memory:",
		overlay.WithDispatcher(func(fn func()) { loop <- fn }))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)

	engine.ScalarAsync(ctx, "SELECT 6 * 7").OnDone(func(answer any, err error) {
		fmt.Println(answer, err)
	})
	(<-loop)()
	// Output: 42 <nil>
}

func ExampleDialect() {
	ctx := context.Background()
	fmt.Println(overlay.SQLite, overlay.MySQL, overlay.PostgreSQL)

	// A driver that is not recognised by its type is told what it speaks.
	engine, err := overlay.Open("sqlite3", ":memory:", overlay.WithDialect(overlay.SQLite))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)
	fmt.Println(engine.HasTableAsync(ctx, "users").Await(ctx))
	// Output:
	// SQLite MySQL PostgreSQL
	// false <nil>
}
