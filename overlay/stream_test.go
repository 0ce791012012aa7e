package overlay_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/warnings"
)

// streaming is what an Engine and a Conn have.
type streaming interface {
	overlay.Target
	StreamAsync(ctx context.Context, query string, args ...any) *overlay.Future[*overlay.Result]
}

// onStreaming runs a test on an Engine and on a Conn of each database, which has
// 1000 people.
func onStreaming(t *testing.T, fn func(t *testing.T, db *testDB, to streaming)) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		t.Run("Engine", func(t *testing.T) { fn(t, db, db.e) })
		t.Run("Conn", func(t *testing.T) {
			c := db.connect(t)
			defer db.close(t, c)
			fn(t, db, c)
		})
	})
}

const peoplesIDs = "SELECT id FROM people ORDER BY id"

// endlessRows is a query whose rows never end.
func (db *testDB) endlessRows() string {
	if db.maria {
		return "SELECT a.seq FROM seq_1_to_1000000 a, seq_1_to_1000000 b"
	}
	return "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
}

// wantFree fails unless the target can make a call: on the memory database there is but
// one connection.
func wantFree(t *testing.T, db *testDB, to overlay.Target) {
	t.Helper()
	if n := must(t, overlay.Scalar[int](db.ctx, to, "SELECT 2")); n != 2 {
		t.Errorf("SELECT 2 returns %d", n)
	}
}

func TestStreamIsReadLikeAResult(t *testing.T) {
	onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
		r := must(t, to.StreamAsync(db.ctx, "SELECT id, name FROM people WHERE id > ? ORDER BY id", 100))
		if !r.ReturnsRows() || !slices.Equal(r.Keys(), []string{"id", "name"}) || r.RowCount() != -1 {
			t.Errorf("ReturnsRows %v, Keys %q, RowCount %d", r.ReturnsRows(), r.Keys(), r.RowCount())
		}
		next := 101
		want := func(rows []overlay.Row, n int) {
			t.Helper()
			if len(rows) != n {
				t.Errorf("%d rows, want %d", len(rows), n)
			}
			for _, row := range rows {
				var id int
				var name string
				if err := row.Scan(&id, &name); err != nil || id != next || name != fmt.Sprint("n", next) {
					t.Fatalf("row %d is %d %q (%v)", next, id, name, err)
				}
				next++
			}
		}
		want([]overlay.Row{must(t, r.FetchOneAsync(db.ctx))}, 1)
		want(must(t, r.FetchManyAsync(db.ctx, 400)), 400)
		n := 0
		for row, err := range r.Rows(db.ctx) {
			if err != nil {
				t.Fatal(err)
			}
			want([]overlay.Row{row}, 1)
			n++
		}
		if n != 499 {
			t.Errorf("the loop had %d rows, want 499", n)
		}
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), overlay.ErrClosed) // by the loop
		wantFree(t, db, to)

		r = must(t, to.StreamAsync(db.ctx, peoplesIDs))
		if rows := must(t, r.FetchAllAsync(db.ctx)); len(rows) != 1000 {
			t.Errorf("FetchAllAsync returned %d rows", len(rows))
		}
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), sql.ErrNoRows)
		wantFree(t, db, to)
	})
}

// A stream ends, and frees its connection, whatever ends it.
func TestStreamEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, db *testDB, r *overlay.Result, cancel func()) (want error){
		"CloseAsync": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			closing := r.CloseAsync(db.ctx)
			wantError(t, failure(t, r.FetchOneAsync(db.ctx)), overlay.ErrClosed) // from the call on
			must(t, closing)
			must(t, r.CloseAsync(db.ctx)) // once more does nothing
			return overlay.ErrClosed
		},
		"its context": func(t *testing.T, db *testDB, r *overlay.Result, cancel func()) error {
			cancel()
			for {
				if _, err := r.FetchManyAsync(db.ctx, 1000).Await(db.ctx); err != nil {
					return context.Canceled
				}
			}
		},
		"the loop's end": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			for _, err := range r.Rows(db.ctx) {
				noError(t, err)
				break
			}
			return overlay.ErrClosed
		},
		"the loop's context": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			ctx, cancel := context.WithCancel(db.ctx)
			defer cancel()
			var last error
			for _, err := range r.Rows(ctx) {
				cancel()
				last = err
			}
			wantError(t, last, context.Canceled)
			return overlay.ErrClosed
		},
		"FirstAsync": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			var n int64
			if row := must(t, r.FirstAsync(db.ctx)); row.Scan(&n) != nil || n != 1 {
				t.Errorf("first row: %v", row.Values())
			}
			return overlay.ErrClosed
		},
		"ScalarAsync": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			if v := must(t, r.ScalarAsync(db.ctx)); v != int64(1) && v != uint64(1) && fmt.Sprintf("%s", v) != "1" {
				t.Errorf("scalar: %v", v)
			}
			return overlay.ErrClosed
		},
		"a fetch that was cancelled": func(t *testing.T, db *testDB, r *overlay.Result, _ func()) error {
			f := r.FetchManyAsync(db.ctx, 1_000_000_000)
			f.Cancel()
			wantError(t, failure(t, f), context.Canceled)
			must(t, r.CloseAsync(db.ctx))
			return overlay.ErrClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
				ctx, cancel := context.WithCancel(db.ctx)
				defer cancel()
				r := must(t, to.StreamAsync(ctx, db.endlessRows()))
				want := end(t, db, r, cancel)
				wantError(t, failure(t, r.FetchOneAsync(db.ctx)), want)
				wantFree(t, db, to)
			})
		})
	}
}

// One that nobody uses any longer is closed, with a warning that says where it was opened.
func TestStreamThatIsForgotten(t *testing.T) {
	onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
		recorded := warnings.Record(t)
		must(t, to.StreamAsync(db.ctx, db.endlessRows()))
		until(t, "the warning", func() bool { runtime.GC(); return len(recorded.All()) > 0 })
		var w *warnings.ResourceWarning
		if !errors.As(recorded.All()[0], &w) || !strings.HasSuffix(w.Site.File(), "stream_test.go") {
			t.Errorf("warned of %v", recorded.All())
		}
		wantFree(t, db, to)
	})
}

// The connection's end is that of its streams.
func TestStreamOfAClosedConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		c := db.connect(t)
		r := must(t, c.StreamAsync(db.ctx, db.endlessRows()))
		db.close(t, c)
		wantError(t, failure(t, r.FetchManyAsync(db.ctx, 1000)), overlay.ErrClosed)
		must(t, r.CloseAsync(db.ctx))
		wantFree(t, db, db.e)
	})
}

// The rows before an error are fetched, and the error does not look like their end.
func TestStreamErrorAfterRows(t *testing.T) {
	onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
		query := "SELECT CASE WHEN id < 900 THEN id ELSE abs(-9223372036854775807 - 1) END FROM people ORDER BY id"
		if db.maria {
			query = "SELECT CASE WHEN id < 900 THEN id ELSE 9223372036854775807 + id END FROM people ORDER BY id"
		}
		for _, fetch := range []func(r *overlay.Result) *overlay.Future[[]overlay.Row]{
			func(r *overlay.Result) *overlay.Future[[]overlay.Row] { return r.FetchAllAsync(db.ctx) },
			func(r *overlay.Result) *overlay.Future[[]overlay.Row] { return r.FetchManyAsync(db.ctx, 950) },
		} {
			r := must(t, to.StreamAsync(db.ctx, query))
			rows, err := fetch(r).Await(db.ctx)
			if err == nil || len(rows) != 899 {
				t.Errorf("%d rows, error %v", len(rows), err)
			}
			wantError(t, failure(t, r.FetchOneAsync(db.ctx)), err)
			wantFree(t, db, to)
		}
	})
}

func TestStreamThatCannotBeOpened(t *testing.T) {
	onStreaming(t, func(t *testing.T, db *testDB, to streaming) {
		failure(t, to.StreamAsync(db.ctx, "SELECT * FROM nowhere"))
		wantError(t, failure(t, to.StreamAsync(endedContext(), peoplesIDs)), context.Canceled)
		r := must(t, to.StreamAsync(db.ctx, "UPDATE people SET name = 'x' WHERE id = 1"))
		if r.ReturnsRows() {
			t.Errorf("an UPDATE has the columns %q", r.Keys())
		}
		wantError(t, failure(t, r.FetchOneAsync(db.ctx)), overlay.ErrReturnsNoRows)
		wantFree(t, db, to)
	})
}

// An SQLite connection can do something else while a stream is open; one of MySQL cannot, and
// says so.
func TestCallsBesideAStreamOnItsConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		c := db.connect(t)
		defer db.close(t, c)
		r := must(t, c.StreamAsync(db.ctx, peoplesIDs))
		must(t, r.FetchOneAsync(db.ctx))
		calls := map[string]func() error{
			"ExecAsync":   func() error { return second(c.ExecAsync(db.ctx, insertPerson, "x").Await(db.ctx)) },
			"QueryAsync":  func() error { return second(c.QueryAsync(db.ctx, "SELECT 1").Await(db.ctx)) },
			"ScalarAsync": func() error { return second(c.ScalarAsync(db.ctx, "SELECT 1").Await(db.ctx)) },
			"StreamAsync": func() error {
				other, err := c.StreamAsync(db.ctx, "SELECT 1").Await(db.ctx)
				if err == nil {
					must(t, other.CloseAsync(db.ctx))
				}
				return err
			},
			"BatchAsync": func() error {
				return second(c.BatchAsync(db.ctx, []overlay.Statement{{Query: "UPDATE people SET name = name"}}).Await(db.ctx))
			},
			"HasTableAsync": func() error { return second(db.e.HasTableAsync(db.ctx, "people", overlay.On(c)).Await(db.ctx)) },
			"RunInThread": func() error {
				return second(overlay.RunInThread(db.ctx, c, func(ctx context.Context, sc *sql.Conn) (n int, err error) {
					return n, sc.QueryRowContext(ctx, "SELECT 1").Scan(&n)
				}).Await(db.ctx))
			},
			"WithTx": func() error {
				return c.WithTx(db.ctx, nil, func(context.Context, *overlay.Conn) error { return nil })
			},
			"SyncConn, a query": func() (err error) {
				var n int
				return c.SyncConn().QueryRowContext(db.ctx, "SELECT 1").Scan(&n)
			},
			"SyncConn, an update": func() error { return second(c.SyncConn().ExecContext(db.ctx, "UPDATE people SET name = name")) },
			"SyncConn, a ping":    func() error { return c.SyncConn().PingContext(db.ctx) },
			"SyncConn, a transaction": func() error {
				tx, err := c.SyncConn().BeginTx(db.ctx, nil)
				if err == nil {
					err = tx.Rollback()
				}
				return err
			},
			"SyncConn, a statement": func() error {
				s, err := c.SyncConn().PrepareContext(db.ctx, "SELECT 1")
				if err == nil {
					err = s.Close()
				}
				return err
			},
		}
		for name, call := range calls {
			if err := call(); db.maria && !errors.Is(err, overlay.ErrStreamOpen) || !db.maria && err != nil {
				t.Errorf("%s beside a stream: %v", name, err)
			}
		}
		if db.maria {
			n := 1
			for _, err := range r.Rows(db.ctx) {
				noError(t, err)
				n++
			}
			if n != 1000 {
				t.Errorf("%d rows, want 1000", n)
			}
		}
		must(t, r.CloseAsync(db.ctx))
		for name, call := range calls {
			if err := call(); err != nil {
				t.Errorf("%s after the stream's end: %v", name, err)
			}
		}
	})
}

// The other way round: the rows of SyncConn keep a connection of MySQL from other calls until they
// have been read, and stay whole.
func TestCallsBesideRowsOfSyncConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		c := db.connect(t)
		defer db.close(t, c)
		rows, err := c.SyncConn().QueryContext(db.ctx, "SELECT a.id FROM people a, people b LIMIT 100000")
		noError(t, err)
		defer rows.Close()
		calls := map[string]func() error{
			"QueryAsync":  func() error { return second(c.QueryAsync(db.ctx, "SELECT 1").Await(db.ctx)) },
			"StreamAsync": func() error { return second(c.StreamAsync(db.ctx, peoplesIDs).Await(db.ctx)) },
			"RunInThread": func() error {
				return second(overlay.RunInThread(db.ctx, c, func(ctx context.Context, sc *sql.Conn) (n int, err error) {
					return n, sc.QueryRowContext(ctx, "SELECT 1").Scan(&n)
				}).Await(db.ctx))
			},
		}
		n := 0
		for ; n < 100 && rows.Next(); n++ {
		}
		if db.maria {
			for _, call := range calls {
				wantError(t, call(), overlay.ErrStreamOpen)
			}
		}
		for rows.Next() {
			n++
		}
		if err := rows.Err(); err != nil || n != 100000 {
			t.Errorf("%d rows, %v", n, err)
		}
		must(t, c.QueryAsync(db.ctx, "SELECT 1")) // the rows are not closed, but read
	})
}

// A transaction of SyncConn's ends the streams in it, as one of the Conn's does.
func TestStreamInATransactionOfSyncConn(t *testing.T) {
	onEach(t, func(t *testing.T, db *testDB) {
		db.people(t, many()...)
		c := db.connect(t)
		defer db.close(t, c)
		for name, end := range map[string]func(tx *sql.Tx) error{"Commit": (*sql.Tx).Commit, "Rollback": (*sql.Tx).Rollback} {
			tx, err := c.SyncConn().BeginTx(db.ctx, nil)
			noError(t, err)
			r := must(t, c.StreamAsync(db.ctx, peoplesIDs))
			must(t, r.FetchOneAsync(db.ctx))
			if err := end(tx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			wantFree(t, db, c)
			must(t, r.CloseAsync(db.ctx))
		}
	})
}

// A write whose rows nobody reads to the end is made to its end, as by database/sql.
func TestWriteIsNotAbandonedWithItsRows(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE big (id INT PRIMARY KEY)"))
		const insert = "INSERT INTO big SELECT seq FROM seq_1_to_100000 RETURNING id"
		stream := func() *overlay.Result { return must(t, db.e.StreamAsync(db.ctx, insert)) }
		for name, run := range map[string]func() error{
			"sql.DB":                  func() error { var id int; return db.e.SyncDB().QueryRow(insert).Scan(&id) },
			"Scalar":                  func() error { return second(overlay.Scalar[int](db.ctx, db.e, insert).Await(db.ctx)) },
			"FirstAsync of a stream":  func() error { return second(stream().FirstAsync(db.ctx).Await(db.ctx)) },
			"CloseAsync of a stream":  func() error { return second(stream().CloseAsync(db.ctx).Await(db.ctx)) },
			"QueryAsync, not fetched": func() error { return second(db.e.QueryAsync(db.ctx, insert).Await(db.ctx)) },
		} {
			must(t, db.e.ExecAsync(db.ctx, "DELETE FROM big"))
			if err := run(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM big")); n != 100000 {
				t.Errorf("%s: %d rows instead of 100000", name, n)
			}
		}
	}, overlay.WithLanes(1), overlay.WithResultLimit(1))
}

// A stream whose connection dies says so to all who fetch.
func TestStreamOnAConnectionThatDies(t *testing.T) {
	d := newScripted()
	db := d.openDB()
	defer db.Close()
	e := overlay.New(db, overlay.WithLanes(1))
	for range 10 {
		r := must(t, e.StreamAsync(background, "rows 1000"))
		remove := d.On("Rows.Next", drivertest.Return(driver.ErrBadConn))
		fetches := []*overlay.Future[[]overlay.Row]{r.FetchManyAsync(background, 600), r.FetchManyAsync(background, 600), r.FetchAllAsync(background)}
		wantError(t, failure(t, fetches[0]), driver.ErrBadConn)
		failure(t, fetches[1])
		failure(t, fetches[2])
		remove()
		must(t, r.CloseAsync(background))
	}
	must(t, e.ExecAsync(background, "noop"))
	noError(t, e.Shutdown(background))
}

// CloseAsync returns the driver's error of closing the rows, wherever the stream is; a fetch that
// has met the end of the rows has returned it already.
func TestStreamThatCannotBeClosed(t *testing.T) {
	broken := errors.New("the rows cannot be closed")
	for name, c := range map[string]struct {
		query string
		use   func(r *overlay.Result) error
		want  error
	}{
		"in the middle":           {"rows 1000", func(r *overlay.Result) error { return second(r.FetchOneAsync(background).Await(background)) }, broken},
		"all of it is read ahead": {"rows 300", func(r *overlay.Result) error { return second(r.FetchManyAsync(background, 250).Await(background)) }, broken},
		"a fetch has told": {"rows 300", func(r *overlay.Result) error {
			wantError(t, second(r.FetchAllAsync(background).Await(background)), broken)
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newScripted()
			db := d.openDB()
			defer db.Close()
			e := overlay.New(db, overlay.WithLanes(1))
			remove := d.On("Rows.Close", drivertest.Return(broken))
			r := must(t, e.StreamAsync(background, c.query))
			noError(t, c.use(r))
			if err := second(r.CloseAsync(background).Await(background)); err != c.want {
				t.Errorf("CloseAsync: %v, want %v", err, c.want)
			}
			remove()
			must(t, e.ExecAsync(background, "noop"))
			noError(t, e.Shutdown(background))
		})
	}
}

// A streamed write that fails after its first rows was not made: CloseAsync says so, and WithTx
// does not commit if nobody looks at that.
func TestStreamedWriteThatFails(t *testing.T) {
	warnings.Record(t) // nobody looks
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE big (id INT PRIMARY KEY)"))
		for _, look := range []bool{true, false} {
			err := db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
				r := must(t, c.StreamAsync(ctx, "INSERT INTO big SELECT IF(seq = 20000, 1, seq) FROM seq_1_to_20000 RETURNING id"))
				must(t, r.FetchOneAsync(ctx))
				closed := r.CloseAsync(ctx)
				if look {
					wantCode(t, failure(t, closed), 1062) // duplicate entry
					return errOwn
				}
				return nil
			})
			if err == nil {
				t.Errorf("CloseAsync looked at: %v: WithTx has committed", look)
			}
		}
	})
}

// So is one of SQLite whose commit fails as its rows are closed.
func TestStreamedWriteWhoseCommitFails(t *testing.T) {
	onSQLite(t, func(t *testing.T, db *testDB) {
		db.people(t)
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE orders (person INTEGER REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)"))
		c := db.connect(t)
		defer db.close(t, c)
		must(t, c.ExecAsync(db.ctx, "PRAGMA foreign_keys = ON"))
		r := must(t, c.StreamAsync(db.ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) INSERT INTO orders SELECT i FROM n RETURNING person"))
		must(t, r.FetchOneAsync(db.ctx))
		failure(t, r.CloseAsync(db.ctx))
		if n := must(t, overlay.Scalar[int](db.ctx, db.e, "SELECT count(*) FROM orders")); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

// A write whose first row alone is fetched has met an error while rows were read ahead: somebody
// must be told.
func TestStreamedWriteThatHasFailedAhead(t *testing.T) {
	for name, use := range map[string]func(r *overlay.Result) error{
		"FirstAsync": func(r *overlay.Result) error { return second(r.FirstAsync(background).Await(background)) },
		"FetchOneAsync, CloseAsync": func(r *overlay.Result) error {
			return errors.Join(second(r.FetchOneAsync(background).Await(background)), second(r.CloseAsync(background).Await(background)))
		},
	} {
		e, err := overlay.Open("sqlite3", filepath.Join(t.TempDir(), "a.db")+"?_foreign_keys=1")
		noError(t, err)
		must(t, e.ExecAsync(background, "CREATE TABLE people (id INTEGER PRIMARY KEY)"))
		must(t, e.ExecAsync(background, "CREATE TABLE orders (person INTEGER REFERENCES people (id) DEFERRABLE INITIALLY DEFERRED)"))
		r, err := e.StreamAsync(background, "INSERT INTO orders VALUES (99) RETURNING person").Await(background)
		if err == nil {
			err = use(r)
		}
		if n := must(t, overlay.Scalar[int](background, e, "SELECT count(*) FROM orders")); err == nil && n == 0 {
			t.Errorf("%s: no error, and no row", name)
		}
		noError(t, e.Shutdown(background))
	}
}

// So is one told that fails in the row that is being read ahead as CloseAsync comes.
func TestStreamedWriteThatFailsAsItIsClosed(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE big (id INT PRIMARY KEY, data LONGTEXT, s INT)"))
		write := func(ctx context.Context, to streaming) {
			r := must(t, to.StreamAsync(ctx, "INSERT INTO big SELECT IF(seq = 10, 1, seq), REPEAT('x', 40000), IF(seq = 10, SLEEP(0.2), 0) FROM seq_1_to_10 RETURNING id, data"))
			must(t, r.FetchManyAsync(ctx, 9))
			time.Sleep(20 * time.Millisecond) // the tenth is being read
			wantCode(t, failure(t, r.CloseAsync(ctx)), 1062)
		}
		write(db.ctx, db.e)
		wantError(t, db.e.WithTx(db.ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
			write(ctx, c)
			return errOwn
		}), errOwn)
	})
}

// A fetch that waits for a row ends with its stream, or with the stream's context.
func TestFetchEndsWithItsStream(t *testing.T) {
	onShared(t, func(t *testing.T, db *testDB) {
		query := "SELECT i, '' FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT i FROM n) UNION ALL SELECT *, '' FROM (" + db.sleepyQuery + ")"
		if db.maria {
			query = "SELECT seq, REPEAT('x', 2000) FROM seq_1_to_400 UNION ALL (SELECT (" + db.sleepyQuery + "), '')"
		}
		for _, close := range []bool{true, false} {
			ctx, cancel := context.WithCancel(db.ctx)
			defer cancel()
			r := must(t, db.e.StreamAsync(ctx, query))
			f := r.FetchAllAsync(db.ctx)
			time.Sleep(50 * time.Millisecond) // it waits for the last row
			if close {
				must(t, r.CloseAsync(db.ctx))
				wantError(t, failure(t, f), overlay.ErrClosed)
			} else {
				cancel()
				wantError(t, failure(t, f), context.Canceled)
			}
		}
	})
}

// A fetch of all that a write returns ends with the stream's context, too.
func TestFetchOfAWriteEndsWithItsStreamsContext(t *testing.T) {
	onMariaDB(t, func(t *testing.T, db *testDB) {
		must(t, db.e.ExecAsync(db.ctx, "CREATE TABLE slow (id INT)"))
		ctx, cancel := context.WithCancel(db.ctx)
		defer cancel()
		r := must(t, db.e.StreamAsync(ctx, "INSERT INTO slow SELECT seq + SLEEP(0.1) FROM seq_1_to_400 RETURNING id, REPEAT('x', 40000)"))
		f := r.FetchAllAsync(db.ctx)
		time.Sleep(50 * time.Millisecond)
		start := time.Now()
		cancel()
		wantError(t, failure(t, f), overlay.ErrOutcomeUnknown)
		soon(t, start)
	})
}

// Closing a stream of an Engine's waits for the callback that asks for it, on its thread.
func TestCloseStreamInItsCallback(t *testing.T) {
	e, _ := onFile(t)
	c := must(t, e.ConnectAsync(background))
	defer c.CloseAsync(background)
	for name, to := range map[string]interface {
		StreamAsync(context.Context, string, ...any) *overlay.Future[*overlay.Result]
	}{"Engine": e, "Conn": c} { // on a Conn it is done there and then
		t.Run(name, func(t *testing.T) {
			r := must(t, to.StreamAsync(background, "with recursive n(i) as (select 1 union all select i + 1 from n limit 40000) select i from n"))
			closed := make(chan error, 1)
			fetch := r.FetchManyAsync(background, 20000)
			fetch.OnDone(func([]overlay.Row, error) {
				_, err := r.CloseAsync(background).Await(atMost(t, patience))
				closed <- err
			})
			if err := <-closed; err != nil && (to == c || !errors.Is(err, overlay.ErrWouldDeadlock)) {
				t.Errorf("CloseAsync: %v", err)
			}
			must(t, r.CloseAsync(background))
		})
	}
}

// A fetch whose context has ended before it says that a write may have been made.
func TestFetchOfAWriteWithAnEndedContext(t *testing.T) {
	e, _ := onFile(t)
	ctx, cancel := context.WithCancel(background)
	r := must(t, e.StreamAsync(ctx, "INSERT INTO t VALUES (1) RETURNING k"))
	cancel()
	if err := failure(t, r.FetchAllAsync(ctx)); !errors.Is(err, overlay.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	r.CloseAsync(background).Await(background)
}
