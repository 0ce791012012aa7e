package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/sqlaio/sqlaio/overlay"
)

// A connection that dies in a transaction, seen by database/sql in a function on the
// thread, can be closed.
func TestConnectionDiesInATransaction(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	must(t, c.BeginAsync(background, nil))
	f := overlay.RunInThread(background, c, func(_ context.Context, sc *sql.Conn) (int, error) {
		return 0, sc.Raw(func(any) error { return driver.ErrBadConn })
	})
	within(t, "the function", f.Done())
	if _, err, _ := f.TryResult(); err != driver.ErrBadConn {
		t.Fatal(err)
	}
	must(t, c.CloseAsync(background))
	must(t, e.ExecAsync(background, "insert into t values (1)"))
}

// After SQLite has rolled a transaction back by itself, statements are refused that
// would be carried out outside of it, until it is ended.
func TestStatementsInALostTransactionAreRefused(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	defer func() { must(t, c.CloseAsync(background)) }()
	must(t, e.ExecAsync(background, "insert into t values (1)"))
	for _, end := range []func(*overlay.Tx) error{
		func(tx *overlay.Tx) error { return second(tx.RollbackAsync(background).Await(background)) },
		func(tx *overlay.Tx) error { return second(tx.CloseAsync(background).Await(background)) },
		func(tx *overlay.Tx) error {
			if second(tx.CommitAsync(background).Await(background)) == nil {
				t.Error("a transaction that was lost can be committed")
			}
			return nil
		},
	} {
		tx := must(t, c.BeginAsync(background, nil))
		must(t, c.ExecAsync(background, "insert into t values (2)"))
		if _, err := c.ExecAsync(background, "insert or rollback into t values (1)").Await(background); err == nil {
			t.Fatal("the key is there twice")
		}
		if c.InTransaction() {
			t.Error("SQLite has rolled back, InTransaction has not heard of it")
		}
		for name, err := range map[string]error{
			"exec":  second(c.ExecAsync(background, "insert into t values (3)").Await(background)),
			"query": second(c.ScalarAsync(background, "select count(*) from t").Await(background)),
			"batch": second(c.ExecManyAsync(background, "insert into t values (?)", [][]any{{4}}).Await(background)),
		} {
			if err == nil {
				t.Errorf("%s was carried out outside of its transaction", name)
			}
		}
		if err := end(tx); err != nil {
			t.Error(err)
		}
		if n := must(t, overlay.Scalar[int](background, c, "select count(*) from t")); n != 1 {
			t.Errorf("%d rows", n)
		}
	}
}
