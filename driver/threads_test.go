package driver_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	aio "github.com/sqlaio/sqlaio/driver"
	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// kinds have between them every optional interface and every fallback.
var kinds = []dt.Features{
	dt.Minimal, dt.Legacy, dt.Modern, dt.Full, dt.LikeSQLite, dt.LikeMySQL,
	dt.Legacy | dt.SessionResetter | dt.Validator,
	dt.Full &^ (dt.StmtChecker | dt.ExecerContext | dt.QueryerContext),
}

// everything makes each call of database/sql that reaches a driver. It needs
// just one connection.
func everything(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return everythingOn(ctx, conn)
}

func everythingOn(ctx context.Context, conn *sql.Conn) error {
	return errors.Join(
		conn.PingContext(ctx),
		execute(ctx, conn, "affected 1 id 2", 1, "two"),
		execute(ctx, conn, "skip noop ? ?", 1, "two"),
		readAll(ctx, conn, "rows 20 size 3", 1),
		readAll(ctx, conn, "skip sets 3x2 ?", 1),
		readSome(ctx, conn, "rows 100"),
		prepared(ctx, conn),
		transaction(ctx, conn, (*sql.Tx).Commit),
		transaction(ctx, conn, (*sql.Tx).Rollback),
	)
}

type queryer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

func execute(ctx context.Context, q queryer, query string, args ...any) error {
	r, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return err
	}
	_, err1 := r.LastInsertId()
	_, err2 := r.RowsAffected()
	return errors.Join(err1, err2)
}

// readAll reads all result sets and asks all about their columns.
func readAll(ctx context.Context, q queryer, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for more := true; more; more = rows.NextResultSet() {
		if _, err := rows.ColumnTypes(); err != nil {
			return err
		}
		for rows.Next() {
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func readSome(ctx context.Context, q queryer, query string) error {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	for range 3 {
		rows.Next()
	}
	return errors.Join(rows.Err(), rows.Close())
}

func prepared(ctx context.Context, conn *sql.Conn) error {
	s, err := conn.PrepareContext(ctx, "rows 2 ?")
	if err != nil {
		return err
	}
	_, err = s.ExecContext(ctx, "x")
	rows, err2 := s.QueryContext(ctx, "x")
	if err2 == nil {
		err2 = rows.Close()
	}
	return errors.Join(err, err2, s.Close())
}

func transaction(ctx context.Context, conn *sql.Conn, end func(*sql.Tx) error) error {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return errors.Join(execute(ctx, tx, "affected 1"), readAll(ctx, tx, "rows 3"), end(tx))
}

// methods are those that everything must reach in a driver, so that a test of
// their threads has looked at all of them.
func methods(f dt.Features) []string {
	list := []string{"Conn.Close", "Stmt.Close", "Stmt.NumInput", "Rows.Columns", "Rows.Next", "Rows.Close",
		"Tx.Commit", "Tx.Rollback", "Result.LastInsertId", "Result.RowsAffected"}
	add := func(features dt.Features, methods ...string) {
		if f.Has(features) {
			list = append(list, methods...)
		}
	}
	either := func(feature dt.Features, modern, otherwise string) {
		if f.Has(feature) {
			list = append(list, modern)
		} else {
			list = append(list, otherwise)
		}
	}
	either(dt.DriverContext, "Connector.Connect", "Driver.Open")
	either(dt.ConnPrepareContext, "Conn.PrepareContext", "Conn.Prepare")
	either(dt.ConnBeginTx, "Conn.BeginTx", "Conn.Begin")
	either(dt.StmtExecContext, "Stmt.ExecContext", "Stmt.Exec")
	either(dt.StmtQueryContext, "Stmt.QueryContext", "Stmt.Query")
	if f.Has(dt.ExecerContext) || f.Has(dt.Execer) {
		either(dt.ExecerContext, "Conn.ExecContext", "Conn.Exec")
		either(dt.QueryerContext, "Conn.QueryContext", "Conn.Query")
	}
	add(dt.Pinger, "Conn.Ping")
	add(dt.SessionResetter, "Conn.ResetSession")
	add(dt.Validator, "Conn.IsValid")
	add(dt.ConnChecker, "Conn.CheckNamedValue")
	add(dt.StmtChecker, "Stmt.CheckNamedValue")
	add(dt.ColumnConverter, "Stmt.ColumnConverter", "Converter.ConvertValue")
	add(dt.NextResultSet, "Rows.HasNextResultSet", "Rows.NextResultSet")
	add(dt.ScanType, "Rows.ColumnTypeScanType")
	add(dt.DatabaseTypeName, "Rows.ColumnTypeDatabaseTypeName")
	add(dt.Length, "Rows.ColumnTypeLength")
	add(dt.Nullable, "Rows.ColumnTypeNullable")
	add(dt.PrecisionScale, "Rows.ColumnTypePrecisionScale")
	return list
}

// TestEveryMethodRunsOnTheConnectionsThread also fails, by way of start, if
// connections that are open together share a thread.
func TestEveryMethodRunsOnTheConnectionsThread(t *testing.T) {
	for _, s := range setups {
		for _, f := range kinds {
			for name, ctx := range contexts(t) {
				for _, conns := range []int{1, 4} {
					t.Run(fmt.Sprint(s.name, "/", f, "/", name, "/", conns), func(t *testing.T) {
						d, db := s.start(t, f)
						within(t, func() { inParallel(t, ctx, db, conns) })
						for _, m := range methods(f) {
							if s.name != "Wrap" && m == "Driver.Open" {
								m = "Connector.Connect"
							}
							if d.Count(m) == 0 {
								t.Errorf("%s was never called", m)
							}
						}
						report(t, "wrong thread", d.ThreadViolations())
					})
				}
			}
		}
	}
}

// inParallel does everything, more often than there are connections, and
// closes the DB.
func inParallel(t *testing.T, ctx context.Context, db *sql.DB, conns int) {
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	var wg sync.WaitGroup
	for range 2 * conns {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := everything(ctx, db); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	must(t, db.Close())
}

// TestConnectionsHaveDifferentThreads compares the ids that the shim reports
// with those that the driver sees.
func TestConnectionsHaveDifferentThreads(t *testing.T) {
	runtime.LockOSThread() // so that the test has a thread to be told apart
	defer runtime.UnlockOSThread()
	own := dt.New(dt.Minimal)
	_, err := own.Connector("").Connect(context.Background())
	must(t, err)
	threads := []int{thread(t, own, 1)}

	d, db := open(t, dt.Modern)
	ctx := context.Background()
	for range 5 {
		conn, err := db.Conn(ctx)
		must(t, err)
		defer conn.Close()
		seen := thread(t, d, number(t, conn))
		if slices.Contains(threads, seen) {
			t.Errorf("thread %d serves two", seen)
		}
		threads = append(threads, seen)
		w, err := aio.Thread(conn)
		must(t, err)
		if w.ThreadID() != seen && !threadIDsAreGoroutineIDs(t, w) {
			t.Errorf("ThreadID is %d, the driver saw %d", w.ThreadID(), seen)
		}
	}
}

// TestConnectionKeepsItsThreadInThePool uses one connection again and again.
func TestConnectionKeepsItsThreadInThePool(t *testing.T) {
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			d, db := open(t, dt.Modern)
			db.SetMaxOpenConns(1)
			for range 20 {
				must(t, everything(ctx, db))
				runtime.Gosched()
			}
			thread(t, d, 1) // there is just one
			if n := d.Count("Connector.Connect"); n != 1 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestFailedCallsRunOnTheThread(t *testing.T) {
	for _, f := range kinds {
		t.Run(f.String(), func(t *testing.T) {
			d, db := open(t, f)
			ctx := context.Background()
			for _, query := range []string{"fail", "skip fail", "not a script", "rows 9 error at 5", "sets 2x2 seterror 2",
				"rows 3 closeerror", "affected error id error"} {
				execute(ctx, db, query)
				readAll(ctx, db, query)
			}
			execute(ctx, db, "noop ?", dt.Arg{Do: dt.Refuse})
			execute(ctx, db, "skip noop ?", "refuse")
			report(t, "wrong thread", d.ThreadViolations())
		})
	}
}

func TestNestedRowsRunOnTheThread(t *testing.T) {
	_, db := open(t, dt.Modern)
	rows, err := db.Query("nested")
	must(t, err)
	defer rows.Close()
	rows.Next()
	var id int
	var cursor sql.Rows
	must(t, rows.Scan(&id, &cursor))
	n := 0
	for cursor.Next() {
		n++
	}
	if n != 2 {
		t.Errorf("%d rows", n)
	}
	must(t, cursor.Close())
}

// TestRawRunsOnTheThread: so what it does to the thread meets the driver's calls.
func TestRawRunsOnTheThread(t *testing.T) {
	for name, ctx := range contexts(t) {
		t.Run(name, func(t *testing.T) {
			d, db := open(t, dt.Full)
			conn, err := db.Conn(ctx)
			must(t, err)
			defer conn.Close()
			w, err := aio.Thread(conn)
			must(t, err)
			must(t, aio.Raw(ctx, conn, func(inner driver.Conn) error {
				if !w.OnThread() {
					t.Error("Raw is not on the thread")
				}
				return inner.(driver.Pinger).Ping(ctx)
			}))
			thread(t, d, 1)
			if d.Count("Conn.Ping") != 1 {
				t.Error("no ping")
			}
		})
	}
}

// TestFailedOpenRunsOnItsOwnThread: also the thread of an open that fails is
// no other connection's.
func TestFailedOpenRunsOnItsOwnThread(t *testing.T) {
	d, db := open(t, dt.Modern)
	conn, err := db.Conn(context.Background())
	must(t, err)
	defer conn.Close()
	remove := d.On("Connector.Connect", dt.Return(dt.ErrScripted))
	defer remove()
	if _, err := db.Conn(context.Background()); err != dt.ErrScripted {
		t.Error(err)
	}
	if thread(t, d, 1) == thread(t, d, 2) {
		t.Error("the failed connection had another's thread")
	}
}

// TestContextEndsWhileConnecting proves that a new connection whose context has
// just ended is asked whether it is valid on its own thread too.
func TestContextEndsWhileConnecting(t *testing.T) {
	d := dt.New(dt.Full)
	db := aio.OpenDB(d.Connector("test"))
	ctx, cancel := context.WithCancel(context.Background())
	d.On("Conn.IsValid", func(dt.Call) error { cancel(); return nil })
	if c, err := db.Conn(ctx); err == nil {
		c.Close()
	}
	db.Close()
	if v := d.ThreadViolations(); len(v) > 0 {
		t.Error(v)
	}
}
