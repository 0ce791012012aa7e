package eyes2_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/sqlaio/sqlaio/overlay"
)

func init() {
	sql.Register("sqlite3_slow", &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		return c.RegisterFunc("slow", func(ms int) int { time.Sleep(time.Duration(ms) * time.Millisecond); return ms }, false)
	}})
}

// A write with RETURNING that waits for a lock at its commit as its context ends.
func TestReturningBusyCommit(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=DELETE", "CREATE TABLE t (id INTEGER)", "INSERT INTO t VALUES (0)")
	reader, err := bare.Conn(bg)
	ok(t, "conn", err)
	defer reader.Close()
	plain, err := sql.Open("sqlite3", dsn)
	ok(t, "open", err)
	defer plain.Close()
	for name, db := range map[string]*sql.DB{"bare": plain, "aio": aio(t, "sqlite3", dsn)} {
		for i := range 4 {
			_, err := bare.Exec("DELETE FROM t WHERE id > 0")
			ok(t, "delete", err)
			rs, err := reader.QueryContext(bg, "SELECT id FROM t UNION ALL SELECT 2")
			ok(t, "read", err)
			rs.Next() // SHARED is held
			ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
			var id int
			start := time.Now()
			if i%2 == 0 {
				err = db.QueryRowContext(ctx, "INSERT INTO t VALUES (1) RETURNING id").Scan(&id)
			} else {
				var rs *sql.Rows
				rs, err = db.QueryContext(ctx, "INSERT INTO t VALUES (1) RETURNING id")
				if err == nil {
					rs.Next()
					err = rs.Close()
					if err == nil {
						err = rs.Err()
					}
				}
			}
			d := time.Since(start).Round(time.Millisecond)
			cancel()
			time.Sleep(300 * time.Millisecond)
			rs.Close()
			n := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1")
			t.Logf("%s: Scan says %v after %v, id %d; rows %d", name, err, d, id, n)
			if err == nil && n != 1 {
				t.Errorf("%s: LOST", name)
			}
		}
	}
}

// RunCallable with a context, whose function leaves a transaction and a call that nothing stops.
func TestRollBackLeftWaits(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3_slow", dsn)
	ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := e.RunCallable(ctx, func(sc *sql.Conn) error {
		if _, err := sc.ExecContext(ctx, "BEGIN"); err != nil {
			return err
		}
		_, err := sc.ExecContext(ctx, "SELECT slow(3000)")
		t.Logf("in the function: %v after %v", err, time.Since(start).Round(time.Millisecond))
		return err
	})
	d := time.Since(start).Round(time.Millisecond)
	t.Logf("RunCallable: %v after %v", err, d)
	if d > time.Second {
		t.Error("HANG")
	}
}

// The same on the pool, before somebody connects.
func TestAcquireWaits(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3_slow", dsn)
	for _, begin := range []bool{false, true} {
		sc, err := e.SyncDB().Conn(bg)
		ok(t, "conn", err)
		if begin {
			_, err = sc.ExecContext(bg, "BEGIN")
			ok(t, "begin", err)
		}
		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		_, err = sc.ExecContext(ctx, "SELECT slow(3000)")
		t.Logf("neighbour: %v", err)
		sc.Close()
		ctx, cancel = context.WithTimeout(bg, 200*time.Millisecond)
		start := time.Now()
		c, err := e.ConnectAsync(ctx).Await(ctx)
		d := time.Since(start).Round(time.Millisecond)
		t.Logf("begin %v: ConnectAsync: %v after %v", begin, err, d)
		if d > time.Second {
			t.Error("HANG")
		}
		if err == nil {
			_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
			c.CloseAsync(bg).Await(bg)
		}
		cancel()
		time.Sleep(3 * time.Second)
	}
}

// A call of the pool's that was left begins a transaction later.
func TestLeftCallBegins(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3_slow", dsn)
	e.SyncDB().SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
	defer cancel()
	_, err := e.SyncDB().ExecContext(ctx, "BEGIN; SELECT slow(1000)")
	t.Logf("neighbour: %v", err)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
	t.Logf("insert: %v; in a transaction: %v", err, c.InTransaction())
	_, err2 := c.CloseAsync(bg).Await(bg)
	n := rows(t, bare, "SELECT count(*) FROM t")
	t.Logf("close: %v; rows %d", err2, n)
	if err == nil && n == 0 {
		t.Error("LOST")
	}
}

// A stream whose context ends while a fetch with another one waits for a row.
func TestStreamsContextEndsDuringAFetchSQLite(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL")
	e := engine(t, "sqlite3", dsn)
	const long = "SELECT x FROM (WITH RECURSIVE q(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM q WHERE x < 400) SELECT x FROM q) UNION ALL SELECT count(*) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 10000000) SELECT x FROM c)"
	for _, how := range []string{"context", "close"} {
		ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
		if how == "close" {
			ctx = bg
		}
		r, err := e.StreamAsync(ctx, long).Await(bg)
		ok(t, "stream", err)
		time.Sleep(100 * time.Millisecond) // nothing is read ahead
		start := time.Now()
		f := r.FetchAllAsync(bg)
		if how == "close" {
			time.Sleep(300 * time.Millisecond)
			r.CloseAsync(bg)
		}
		_, err = f.Await(bg)
		d := time.Since(start).Round(time.Millisecond)
		t.Logf("%s: FetchAll says %v after %v", how, err, d)
		if d > time.Second {
			t.Errorf("%s: the fetch went on for %v", how, d)
		}
		cancel()
	}
}

// Raw says ErrBadConn after a transaction's context has ended.
func TestRawBadAfterEndedTx(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3", dsn)
	for _, before := range []bool{false, true} {
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		sc := c.SyncConn()
		if before {
			ctx, cancel := context.WithCancel(bg)
			_, err := sc.BeginTx(ctx, nil)
			ok(t, "begin", err)
			cancel()
			time.Sleep(50 * time.Millisecond)
		}
		_, err = c.BeginAsync(bg, nil).Await(bg)
		t.Logf("begin: %v", err)
		err = sc.Raw(func(any) error { return driver.ErrBadConn })
		_, err2 := c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
		t.Logf("a transaction before %v: Raw: %v; then ExecAsync: %v", before, err, err2)
		c.CloseAsync(bg).Await(bg)
	}
	_ = bare
}

// A text transaction that SQLite has rolled back; the next text rolls back.
func TestRolledBackThenText(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	e := engine(t, "sqlite3", dsn)
	for _, text := range []string{"INSERT INTO t VALUES (5); ROLLBACK", "INSERT INTO t VALUES (6); COMMIT; BEGIN", "INSERT INTO t VALUES (7); BEGIN; ROLLBACK"} {
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		c.ExecAsync(bg, "BEGIN").Await(bg)
		c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
		_, err = c.ExecAsync(bg, "INSERT OR ROLLBACK INTO t VALUES (1)").Await(bg)
		t.Logf("or rollback: %v", err)
		_, err = c.ExecAsync(bg, text).Await(bg)
		t.Logf("%s: %v", text, err)
		c.CloseAsync(bg).Await(bg)
	}
	if n := rows(t, bare, "SELECT count(*) FROM t"); n > 0 {
		t.Errorf("rows: %d", n)
	}
}

// A write of a left fill: Close.
func TestReturningLeft(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	db := aio(t, "sqlite3_slow", dsn)
	for i := range 2 {
		ctx, cancel := context.WithTimeout(bg, 200*time.Millisecond)
		rs, err := db.QueryContext(ctx, "SELECT 1, 0 UNION ALL SELECT 2, slow(1500); INSERT INTO t VALUES (1)")
		ok(t, "query", err)
		rs.Next()
		start := time.Now()
		err = rs.Close()
		t.Logf("%d: Close: %v, Err: %v after %v", i, err, rs.Err(), time.Since(start).Round(time.Millisecond))
		cancel()
		time.Sleep(2 * time.Second)
		t.Logf("rows: %d", rows(t, bare, "SELECT count(*) FROM t"))
	}
}

var _ = overlay.ErrClosed

// Engine.ExecContext, whose call is left, begins a transaction.
func TestLeftExecContextBegins(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3_slow", dsn)
	e.SyncDB().SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(bg, 100*time.Millisecond)
	defer cancel()
	_, err := e.ExecContext(ctx, "BEGIN; SELECT slow(1000)")
	t.Logf("Engine.ExecContext: %v", err)
	_, err = e.SyncDB().ExecContext(bg, "INSERT INTO t VALUES (1)")
	t.Logf("neighbour's insert: %v", err)
	_, err2 := e.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
	t.Logf("engine's insert: %v", err2)
	n := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1")
	t.Logf("rows 1: %d", n)
	if err == nil && n == 0 {
		t.Error("LOST")
	}
}
