package eyes2_test

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/sqlaio/sqlaio/overlay"
)

var refuseCommits atomic.Bool

func init() {
	sql.Register("sqlite3_hook", &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		c.RegisterCommitHook(func() int {
			if refuseCommits.Load() {
				time.Sleep(time.Second)
				return 1
			}
			return 0
		})
		return nil
	}})
}

// A write with RETURNING whose commit takes long, and fails, as its context ends.
func TestReturningLeftAtCommit(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	plain, err := sql.Open("sqlite3_hook", dsn)
	ok(t, "open", err)
	defer plain.Close()
	for name, db := range map[string]*sql.DB{"bare": plain, "aio": aio(t, "sqlite3_hook", dsn)} {
		for range 2 {
			refuseCommits.Store(true)
			ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
			var id int
			start := time.Now()
			err := db.QueryRowContext(ctx, "INSERT INTO t VALUES (1) RETURNING id").Scan(&id)
			d := time.Since(start).Round(time.Millisecond)
			cancel()
			time.Sleep(1500 * time.Millisecond)
			refuseCommits.Store(false)
			n := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1")
			t.Logf("%s: Scan says %v after %v, id %d; rows %d", name, err, d, id, n)
			if err == nil && n != 1 {
				t.Errorf("%s: LOST", name)
			}
		}
	}
}

// A streamed write fails in the row that is being read as CloseAsync comes.
func TestStreamedWriteFailsDuringClose(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY, data LONGTEXT, s BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	const insert = "INSERT INTO t SELECT IF(seq = 10, 1, seq), REPEAT('x', 40000), SLEEP(0.1) FROM seq_1_to_10 RETURNING id, data"
	for _, tx := range []bool{false, true} {
		write := func(ctx context.Context, to interface {
			StreamAsync(context.Context, string, ...any) *overlay.Future[*overlay.Result]
		}) error {
			r, err := to.StreamAsync(ctx, insert).Await(ctx)
			ok(t, "stream", err)
			got, err := r.FetchManyAsync(ctx, 9).Await(ctx)
			t.Logf("fetched %d, %v", len(got), err)
			time.Sleep(20 * time.Millisecond)
			_, err = r.CloseAsync(ctx).Await(ctx)
			t.Logf("CloseAsync says %v", err)
			return err
		}
		var err error
		if tx {
			err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error { return write(ctx, c) })
		} else {
			err = write(bg, e)
		}
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("in a transaction %v: %v; rows %d", tx, err, n)
		if err == nil && n == 0 {
			t.Error("LOST")
		}
	}
	rs, err := bare.Query(insert)
	ok(t, "query", err)
	for range 9 {
		rs.Next()
	}
	t.Logf("bare: Close says %v", rs.Close())
}

// Batches that begin by text, and do not commit.
func TestBatchBeginsByText(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	e := engine(t, "sqlite3", dsn)
	for _, texts := range [][]string{{"BEGIN", "INSERT INTO t VALUES (1)", "nonsense"}, {"BEGIN", "INSERT INTO t VALUES (1)"},
		{"BEGIN", "INSERT INTO t VALUES (1)", "INSERT OR ROLLBACK INTO t VALUES (1)", "INSERT INTO t VALUES (2)"}} {
		var st []overlay.Statement
		for _, s := range texts {
			st = append(st, overlay.Statement{Query: s})
		}
		rs, err := e.BatchAsync(bg, st).Await(bg)
		t.Logf("%q: %v", texts, err)
		for i, r := range rs {
			t.Logf("  %d: %v", i, r.Err)
		}
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("  rows %d", n)
		if len(rs) > 1 && rs[1].Err == nil && n == 0 {
			t.Error("LOST, by the statement's result")
		}
	}
}

// The Rollback of a sql.Tx that the database has rolled back, after another transaction began.
func TestLateEndOfADeadTx(t *testing.T) {
	dsn, bare := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	e := engine(t, "sqlite3", dsn)
	for _, end := range []string{"Rollback", "Commit"} {
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		dead, err := c.SyncConn().BeginTx(bg, nil)
		ok(t, "begin", err)
		dead.Exec("INSERT INTO t VALUES (1)")
		_, err = dead.Exec("INSERT OR ROLLBACK INTO t VALUES (1)")
		t.Logf("the first: %v", err)
		tx, err := c.BeginAsync(bg, nil).Await(bg)
		ok(t, "the second begins", err)
		_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
		ok(t, "insert 2", err)
		if end == "Commit" {
			t.Logf("Commit of the first: %v", dead.Commit())
		} else {
			t.Logf("Rollback of the first: %v", dead.Rollback())
		}
		_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (3)").Await(bg)
		t.Logf("insert 3: %v", err)
		_, err = tx.CommitAsync(bg).Await(bg)
		n2, n3 := rows(t, bare, "SELECT count(*) FROM t WHERE id = 2"), rows(t, bare, "SELECT count(*) FROM t WHERE id = 3")
		t.Logf("CommitAsync of the second: %v; rows 2: %d, 3: %d", err, n2, n3)
		if err != nil {
			t.Error("the end of a dead transaction has hit another one")
		}
		bare.Exec("DELETE FROM t")
		c.CloseAsync(bg).Await(bg)
	}
}

// The same for one that a statement has ended.
func TestLateEndOfAnEndedTx(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	e := engine(t, "mysql", dsn)
	for _, end := range []string{"Rollback", "Commit"} {
		bare.Exec("DROP TABLE IF EXISTS u")
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		dead, err := c.SyncConn().BeginTx(bg, nil)
		ok(t, "begin", err)
		_, err = dead.Exec("CREATE TABLE u (a INT)")
		ok(t, "ddl", err)
		tx, err := c.BeginAsync(bg, nil).Await(bg)
		ok(t, "the second begins", err)
		_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (2)").Await(bg)
		ok(t, "insert 2", err)
		if end == "Commit" {
			t.Logf("Commit of the first: %v", dead.Commit())
		} else {
			t.Logf("Rollback of the first: %v", dead.Rollback())
		}
		_, err = tx.RollbackAsync(bg).Await(bg)
		n2 := rows(t, bare, "SELECT count(*) FROM t WHERE id = 2")
		t.Logf("RollbackAsync of the second: %v; rows 2: %d", err, n2)
		if err == nil && n2 > 0 {
			t.Error("KEPT, though rolled back")
		}
		bare.Exec("DELETE FROM t")
		c.CloseAsync(bg).Await(bg)
	}
}

// What is stopped has done something already, which is kept.
func TestStoppedInALaterStatement(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, data LONGTEXT, s BIGINT) ENGINE=InnoDB",
		"CREATE PROCEDURE p() BEGIN INSERT INTO t VALUES (1, '', 0); DO SLEEP(3); INSERT INTO t VALUES (2, '', 0); END",
		"CREATE PROCEDURE q() BEGIN INSERT INTO t VALUES (1, '', 0); SELECT SLEEP(3); END")
	e := engine(t, "mysql", dsn)
	db := aio(t, "mysql", dsn)
	const returning = "INSERT INTO t VALUES (1, '', 0); INSERT INTO t SELECT seq + 10, REPEAT('x', 40000), SLEEP(0.1) FROM seq_1_to_20 RETURNING id, data"
	for name, f := range map[string]func(ctx context.Context) error{
		"ExecAsync CALL p": func(ctx context.Context) error { _, err := e.ExecAsync(ctx, "CALL p()").Await(ctx); return err },
		"QueryAsync CALL q": func(ctx context.Context) error {
			_, err := e.QueryAsync(ctx, "CALL q()").Await(ctx)
			return err
		},
		"sql.DB CALL p":        func(ctx context.Context) error { _, err := db.ExecContext(ctx, "CALL p()"); return err },
		"QueryAsync RETURNING": func(ctx context.Context) error { _, err := e.QueryAsync(ctx, returning).Await(ctx); return err },
		"sql.DB RETURNING": func(ctx context.Context) error {
			rs, err := db.QueryContext(ctx, returning)
			if err != nil {
				return err
			}
			for rs.Next() {
			}
			return errors.Join(rs.Err(), rs.Close())
		},
		"bare CALL p": func(ctx context.Context) error { _, err := bare.ExecContext(ctx, "CALL p()"); return err },
	} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		ctx, cancel := context.WithTimeout(bg, 500*time.Millisecond)
		err = f(ctx)
		cancel()
		time.Sleep(300 * time.Millisecond)
		n := rows(t, bare, "SELECT count(*) FROM t WHERE id = 1")
		unknown := errors.Is(err, overlay.ErrOutcomeUnknown)
		t.Logf("%s: %v (unknown: %v); rows 1: %d", name, err, unknown, n)
		if err != nil && n > 0 && !unknown && name != "bare CALL p" {
			t.Errorf("%s: refused and KEPT", name)
		}
	}
}

// A connection comes to an engine while a call that was left runs on it.
func TestRaceOfFollowTexts(t *testing.T) {
	dsn, _ := file(t, "&_journal_mode=WAL", "CREATE TABLE t (id INTEGER)")
	e := engine(t, "sqlite3_slow", dsn)
	e.SyncDB().SetMaxOpenConns(1)
	for range 3 {
		ctx, cancel := context.WithTimeout(bg, 50*time.Millisecond)
		_, err := e.SyncDB().ExecContext(ctx, "SELECT slow(300)")
		cancel()
		t.Logf("neighbour: %v", err)
		c, err := e.ConnectAsync(bg).Await(bg)
		ok(t, "connect", err)
		_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
		ok(t, "insert", err)
		c.CloseAsync(bg).Await(bg)
	}
}
