package overlaytest_test

import (
	"context"
	"fmt"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
)

func Example() {
	t := newFake() // a test has its *testing.T
	defer t.end()

	engine, mock := overlaytest.New(t)
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE users").WithArgs("dora", 7).WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectCommit()

	err := engine.WithTx(context.Background(), nil, func(ctx context.Context, c *overlay.Conn) error {
		r, err := c.ExecuteAsync(ctx, "UPDATE users SET name = ? WHERE id = ?", "dora", 7).Await(ctx)
		if err != nil {
			return err
		}
		fmt.Println("changed:", r.RowCount())
		return nil
	})
	fmt.Println(err)
	// Output:
	// changed: 1
	// <nil>
}

func ExampleNew_unmet() {
	t := newFake()
	_, mock := overlaytest.New(t)
	mock.ExpectCommit()
	t.end()
	fmt.Println(t.errors[0])
	// Output: overlaytest: there is a remaining expectation which was not matched: ExpectedCommit => expecting transaction Commit
}

func ExampleOption() {
	t := newFake()
	defer t.end()

	engine, mock := overlaytest.New(t, overlaytest.WithEngine(overlay.WithDialect(overlay.PostgreSQL)))
	mock.ExpectQuery("pg_catalog").WithArgs("", "users").WillReturnRows(sqlmock.NewRows([]string{"found"}).AddRow(true))

	fmt.Println(engine.HasTableAsync(context.Background(), "users").Await(context.Background()))
	// Output: true <nil>
}

// A harness of one's own can have an engine on a mock, too.
func ExampleTB() {
	harness := newFake()
	var t overlaytest.TB = harness
	engine, mock := overlaytest.New(t)
	mock.ExpectExec("DELETE").WillReturnResult(sqlmock.NewResult(0, 3))

	r, err := engine.ExecAsync(context.Background(), "DELETE FROM sessions").Await(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.RowsAffected())
	harness.end()
	fmt.Println(len(harness.errors), "complaints")
	// Output:
	// 3 <nil>
	// 0 complaints
}
