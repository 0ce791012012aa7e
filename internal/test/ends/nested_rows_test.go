package ends

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"testing"
	"time"

	aio "github.com/sqlaio/sqlaio/driver"
)

// A driver without an adapter, whose rows can have rows as values, and whose connections can
// have several results open.
type nestConnector struct{}

func (nestConnector) Connect(context.Context) (driver.Conn, error) { return nestConn{}, nil }
func (nestConnector) Driver() driver.Driver                        { return nestDriver{} }

type nestDriver struct{}

func (nestDriver) Open(string) (driver.Conn, error) { return nestConn{}, nil }

type nestConn struct{}

func (nestConn) Prepare(string) (driver.Stmt, error) { return nil, driver.ErrSkip }
func (nestConn) Close() error                        { return nil }
func (nestConn) Begin() (driver.Tx, error)           { return nestTx{}, nil }
func (nestConn) QueryContext(_ context.Context, q string, _ []driver.NamedValue) (driver.Rows, error) {
	if q == "SELECT nested" {
		return &nestRows{n: 3, nested: true}, nil
	}
	return &nestRows{n: 1}, nil
}

type nestTx struct{}

func (nestTx) Commit() error   { return nil }
func (nestTx) Rollback() error { return nil }

type nestRows struct {
	n      int
	nested bool
}

func (*nestRows) Columns() []string { return []string{"c"} }
func (*nestRows) Close() error      { return nil }
func (r *nestRows) Next(dest []driver.Value) error {
	if r.n == 0 {
		return io.EOF
	}
	r.n--
	if r.nested {
		for s := time.Now(); time.Since(s) < 20*time.Microsecond; {
		}
		dest[0] = driver.Rows(&nestRows{n: 2})
	} else {
		dest[0] = int64(r.n)
	}
	return nil
}

// The first row of a result is read while the caller closes another result of the
// connection, and makes another query. The row's value is rows, which the thread makes.
func TestRowsInRowsBesideAnotherQuery(t *testing.T) {
	db := aio.OpenDB(nestConnector{})
	defer db.Close()
	for range 500 {
		tx, err := db.Begin()
		noError(t, err)
		plain, err := tx.Query("SELECT plain")
		noError(t, err)
		for plain.Next() {
		}
		second, err := tx.Query("SELECT plain")
		noError(t, err)
		nested, err := tx.Query("SELECT nested")
		noError(t, err)
		second.Close()
		third, err := tx.Query("SELECT plain")
		noError(t, err)
		n, rows := 0, 0
		for nested.Next() {
			n++
			var in *sql.Rows
			if err := nested.Scan(&in); err != nil {
				t.Fatal(err)
			}
			for in.Next() {
				rows++
			}
			in.Close()
		}
		if n != 3 || rows != 6 || nested.Err() != nil {
			t.Fatalf("%d rows, %d in them: %v", n, rows, nested.Err())
		}
		got := 0
		for third.Next() {
			got++
		}
		if got != 1 || third.Err() != nil {
			t.Fatalf("third: %d rows, %v", got, third.Err())
		}
		third.Close()
		nested.Close()
		plain.Close()
		tx.Rollback()
	}
}
