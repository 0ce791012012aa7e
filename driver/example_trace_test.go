//go:build cgo

package driver_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"

	sqlite "github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

// calls prints the calls that it is told of.
type calls struct{}

func (calls) TraceStart(ctx context.Context, _ aio.TraceCall) context.Context { return ctx }

func (calls) TraceEnd(_ context.Context, end aio.TraceEnd) {
	if end.Op == aio.OpExec || end.Op == aio.OpQuery {
		fmt.Println(end.Op, end.Statement, end.Rows, end.Err)
	}
}

// A tracer is an option of a driver, or of a connector.
func ExampleWithTracer() {
	aio.Register("sqlite3-told", &sqlite.SQLiteDriver{}, aio.WithTracer(calls{}))
	db, _ := sql.Open("sqlite3-told", ":memory:")
	db.SetMaxOpenConns(1)
	defer db.Close()
	db.Exec("create table t (a)")
	db.Exec("insert into t values (?), (?)", 1, 2)
	var n int
	db.QueryRow("select count(*) from t").Scan(&n)
	// Output:
	// exec create table t (a) 0 <nil>
	// exec insert into t values (?), (?) 2 <nil>
	// query select count(*) from t 1 <nil>
}

func ExampleOp() {
	fmt.Println(aio.OpExec, aio.OpFunction)
	// Output: exec function
}

// Short is for logs: it shows no values.
func ExampleTraceCall() {
	call := aio.TraceCall{Op: aio.OpExec, Statement: "insert into users\n  values ('ann', ?) -- the first"}
	fmt.Println(call.Short(100))
	// Output: insert into users values (?, ?)
}

// ErrText leaves out what databases quote in their errors.
func ExampleTraceEnd() {
	end := aio.TraceEnd{Err: errors.New("Error 1062 (23000): Duplicate entry 'ann' for key 'name'")}
	fmt.Println(end.ErrText())
	// Output: Error 1062 (23000): Duplicate entry '…'
}

// SlowLog with a threshold of 0 logs every call.
func ExampleSlowLog() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Value.Kind() == slog.KindDuration { // for the example alone
			return slog.Attr{}
		}
		return a
	}}))
	aio.Register("sqlite3-logged", &sqlite.SQLiteDriver{}, aio.WithTracer(aio.SlowLog(logger, 0)))
	db, _ := sql.Open("sqlite3-logged", ":memory:")
	defer db.Close()
	db.Exec("create table t (a) -- with a comment")
	db.Exec("delete from t where a = 'secret' or a = ?", "secret")
	// Output:
	// level=WARN msg="slow database call" op=connect
	// level=WARN msg="slow database call" op=exec statement="create table t (a)" rows=0
	// level=WARN msg="slow database call" op=exec statement="delete from t where a = ? or a = ?" rows=0
	// level=WARN msg="slow database call" op=close
}
