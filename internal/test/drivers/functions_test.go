package drivers

import (
	"database/sql"
	"database/sql/driver"
	"runtime"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	modernc "modernc.org/sqlite"

	aio "github.com/sqlaio/sqlaio/driver"
	"github.com/sqlaio/sqlaio/threadpin"
)

func init() {
	modernc.MustRegisterScalarFunction("thread_id", 0, func(*modernc.FunctionContext, []driver.Value) (driver.Value, error) {
		return int64(threadpin.CurrentThreadID()), nil
	})
}

// defineThreadID gives a connection an SQL function thread_id(), if it has
// none: modernc.org/sqlite's are every connection's.
func defineThreadID(c *sql.Conn) error {
	return aio.Raw(background, c, func(inner driver.Conn) error {
		n, ok := inner.(interface{ Raw() *sqlite3.Conn })
		if !ok {
			return nil
		}
		return n.Raw().CreateFunction("thread_id", 0, 0, func(ctx sqlite3.Context, _ ...sqlite3.Value) {
			ctx.ResultInt64(int64(threadpin.CurrentThreadID()))
		})
	})
}

// TestFunctionsRunOnTheThread proves that what SQLite calls back during a
// statement runs on the connection's thread too, whoever makes the statement.
func TestFunctionsRunOnTheThread(t *testing.T) {
	eachDatabase(t, func(t *testing.T, d database) {
		if d.postgres {
			t.Skip("its functions run in the server")
		}
		db := d.open(t, true)
		_, err := db.Exec("CREATE TABLE t (conn INTEGER, thread INTEGER)")
		must(t, err)
		var wg sync.WaitGroup
		for n := range 3 {
			c, err := db.Conn(background)
			must(t, err)
			defer c.Close()
			must(t, defineThreadID(c))
			w, err := aio.Thread(c)
			must(t, err)
			for range 2 {
				wg.Go(func() {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					rows, err := c.QueryContext(t.Context(), "SELECT thread_id() FROM "+d.series(1000))
					if err != nil {
						t.Error(err)
						return
					}
					defer rows.Close()
					count := 0
					for ; rows.Next(); count++ {
						var got int
						if err := rows.Scan(&got); err != nil || got != w.ThreadID() {
							t.Errorf("a row's function ran on thread %d, not %d: %v", got, w.ThreadID(), err)
							return
						}
					}
					if count != 1000 {
						t.Errorf("%d rows, %v", count, rows.Err())
					}
				})
				wg.Go(func() {
					_, err := c.ExecContext(t.Context(), "INSERT INTO t SELECT ?, thread_id()", n)
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			var calls, others int
			must(t, db.QueryRow("SELECT count(*), count(*) FILTER (WHERE thread <> ?) FROM t WHERE conn = ?", w.ThreadID(), n).Scan(&calls, &others))
			if calls != 2 || others != 0 {
				t.Errorf("%d of %d inserts called the function on another thread", others, calls)
			}
		}
	})
}
