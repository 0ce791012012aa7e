package overlay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/sqlaio/sqlaio/overlay"
)

// openExample opens a new database in a file, with a table of these users.
func openExample(ctx context.Context, names ...string) (engine *overlay.Engine, end func()) {
	dir, err := os.MkdirTemp("", "sqlaio-")
	if err != nil {
		log.Fatal(err)
	}
	engine, err = overlay.Open("sqlite3", filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	statements := []overlay.Statement{{Query: "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"}}
	for _, name := range names {
		statements = append(statements, overlay.Statement{Query: "INSERT INTO users (name) VALUES (?)", Args: []any{name}})
	}
	if _, err := engine.BatchAsync(ctx, statements, overlay.InTx(nil)).Await(ctx); err != nil {
		log.Fatal(err)
	}
	return engine, func() {
		engine.Shutdown(ctx)
		os.RemoveAll(dir)
	}
}

func ExampleEngine() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "sqlaio-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	engine, err := overlay.Open("sqlite3", filepath.Join(dir, "app.db"))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Shutdown(ctx)

	engine.ExecAsync(ctx, "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)").Await(ctx)
	inserted := engine.ExecAsync(ctx, "INSERT INTO users (name) VALUES (?)", "Ada")
	// ... something else, while the row is inserted ...
	result, err := inserted.Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.LastInsertId())
	// Output: 1 <nil>
}

func ExampleFuture() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob")
	defer end()

	future := engine.ScalarAsync(ctx, "SELECT count(*) FROM users")
	_, err := engine.ExecAsync(ctx, "INSERT INTO nowhere VALUES (1)").Await(ctx)
	fmt.Println(err)
	fmt.Println(future.Await(ctx))
	fmt.Println(future.TryResult()) // complete by now
	// Output:
	// no such table: nowhere
	// 2 <nil>
	// 2 <nil> true
}

func ExampleThen() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob")
	defer end()

	greeting := overlay.Then(
		overlay.Scalar[string](ctx, engine, "SELECT name FROM users WHERE id = ?", 2),
		func(name string) (string, error) { return "Hello, " + name + "!", nil })
	fmt.Println(greeting.Await(ctx))
	// Output: Hello, Bob! <nil>
}

func ExampleAll() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob", "Cyd")
	defer end()

	var names []*overlay.Future[string]
	for id := 3; id >= 1; id-- {
		names = append(names, overlay.Scalar[string](ctx, engine, "SELECT name FROM users WHERE id = ?", id))
	}
	fmt.Println(overlay.All(names...).Await(ctx))
	// Output: [Cyd Bob Ada] <nil>
}

func ExampleJoin2() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob", "Cyd")
	defer end()

	type page struct {
		first string
		of    int
	}
	first := overlay.Scalar[string](ctx, engine, "SELECT name FROM users ORDER BY id LIMIT 1")
	count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users") // both are under way
	both := overlay.Join2(first, count, func(name string, n int) (page, error) { return page{name, n}, nil })
	fmt.Println(both.Await(ctx))
	// Output: {Ada 3} <nil>
}

func ExampleJoin3() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob", "Cyd")
	defer end()

	names := overlay.Collect[string](ctx, engine, "SELECT name FROM users ORDER BY id")
	count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users")
	exists := engine.HasTableAsync(ctx, "users")
	summary := overlay.Join3(names, count, exists, func(names []string, n int, ok bool) (string, error) {
		return fmt.Sprint(names, " ", n, " ", ok), nil
	})
	fmt.Println(summary.Await(ctx))
	// Output: [Ada Bob Cyd] 3 true <nil>
}

func ExampleAsCompleted() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob", "Cyd")
	defer end()

	var names []*overlay.Future[string]
	for id := range 4 {
		names = append(names, overlay.Scalar[string](ctx, engine, "SELECT name FROM users WHERE id = ?", id))
	}
	for future := range overlay.AsCompleted(ctx, names...) { // the quickest first
		name, err := future.Await(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			name = "nobody"
		}
		fmt.Println(name)
	}
	// Unordered output:
	// nobody
	// Ada
	// Bob
	// Cyd
}

func ExampleResult() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada", "Bob", "Cyd")
	defer end()

	result, err := engine.ExecuteAsync(ctx, "SELECT id, name FROM users ORDER BY id").Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Keys())
	for row, err := range result.Rows(ctx) { // closes the result, also when the loop is left
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.Values()...)
	}
	// Output:
	// [id name]
	// 1 Ada
	// 2 Bob
	// 3 Cyd
}

func ExampleRow() {
	ctx := context.Background()
	engine, end := openExample(ctx, "Ada")
	defer end()

	result, err := engine.QueryAsync(ctx, "SELECT id, name FROM users").Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	row, err := result.FirstAsync(ctx).Await(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(row.Value("name"))
	fmt.Println(row.Value("address"))
	var id, name string
	fmt.Println(row.Scan(&id, &name), id, name)
	// Output:
	// Ada true
	// <nil> false
	// <nil> 1 Ada
}

func ExampleStats() {
	ctx := context.Background()
	engine, end := openExample(ctx)
	defer end()

	before := engine.Stats().Run
	for range 3 {
		engine.ScalarAsync(ctx, "SELECT 1").Await(ctx)
	}
	stats := engine.Stats()
	fmt.Println(stats.Run-before, "calls run,", stats.Queued, "wait,", stats.Refused, "refused")
	// Output: 3 calls run, 0 wait, 0 refused
}
