package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// async makes calls without waiting for them.
func async(ctx context.Context, db *sql.DB) error {
	engine := overlay.New(db)
	defer engine.Shutdown(ctx)

	names := engine.ExecuteAsync(ctx, "SELECT id, name FROM users WHERE name LIKE ? ORDER BY id", "d%")
	count := overlay.Scalar[int](ctx, engine, "SELECT count(*) FROM users") // both are under way

	n, err := count.Await(ctx)
	if err != nil {
		return err
	}
	result, err := names.Await(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("Of %d users these start with D:\n", n)
	for row, err := range result.Rows(ctx) {
		if err != nil {
			return err
		}
		var id int
		var name string
		if err := row.Scan(&id, &name); err != nil {
			return err
		}
		fmt.Printf("    %d  %s\n", id, name)
	}

	// A transaction on its own connection, with a savepoint that is rolled back.
	return engine.WithTx(ctx, nil, func(ctx context.Context, conn *overlay.Conn) error {
		if _, err := conn.ExecuteAsync(ctx, "INSERT INTO users (name) VALUES ('Isaac Jaffe')").Await(ctx); err != nil {
			return err
		}
		changedMind := errors.New("changed my mind")
		err := conn.WithNested(ctx, func(ctx context.Context, conn *overlay.Conn) error {
			if _, err := conn.ExecuteAsync(ctx, "DELETE FROM users").Await(ctx); err != nil {
				return err
			}
			return changedMind
		})
		if err != changedMind {
			return err
		}
		n, err := overlay.Scalar[int](ctx, conn, "SELECT count(*) FROM users").Await(ctx)
		fmt.Printf("In a transaction: one more, and all of them deleted in a savepoint, rolled back: %d users.\n", n)
		return err
	})
}

// fanOut has 100 calls in progress at once.
func fanOut(ctx context.Context, db *sql.DB) error {
	engine := overlay.New(db, overlay.WithLanes(2))
	defer engine.Shutdown(ctx)
	var futures []*overlay.Future[int]
	for i := range 100 {
		futures = append(futures, overlay.Scalar[int](ctx, engine, "SELECT ? * ?", i, i))
	}
	squares, err := overlay.All(futures...).Await(ctx)
	if err != nil {
		return err
	}
	sum := 0
	for _, s := range squares {
		sum += s
	}
	fmt.Printf("100 futures on %d lanes: the sum of the squares is %d.\n", engine.Stats().Lanes, sum)
	return nil
}

// asyncCancelled cancels a running call.
func asyncCancelled(ctx context.Context, db *sql.DB) error {
	engine := overlay.New(db)
	defer engine.Shutdown(ctx)
	endless := overlay.Scalar[int](ctx, engine, `
		WITH RECURSIVE forever(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM forever)
		SELECT count(*) FROM forever`)
	time.AfterFunc(50*time.Millisecond, endless.Cancel)
	_, err := endless.Await(ctx)
	if !errors.Is(err, context.Canceled) {
		return fmt.Errorf("an endless query ended with %v", err)
	}
	fmt.Printf("An endless query, cancelled: %v.\n", err)
	return nil
}

// batch makes many calls in one hop.
func batch(ctx context.Context, db *sql.DB) error {
	engine := overlay.New(db)
	defer engine.Shutdown(ctx)
	var names [][]any
	for i := range 1000 {
		names = append(names, []any{fmt.Sprintf("extra %d", i)})
	}
	results, err := engine.ExecManyAsync(ctx, "INSERT INTO users (name) VALUES (?)", names, overlay.InTx(nil)).Await(ctx)
	if err != nil {
		return err
	}
	id, err := results[len(results)-1].Result.LastInsertId()
	fmt.Printf("%d rows inserted in one hop, the last one with id %d.\n", len(results), id)
	return err
}
