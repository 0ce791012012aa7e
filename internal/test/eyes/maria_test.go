package eyes_test

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// A write with RETURNING through QueryRow: its rows are closed after the first.
func TestReturningRowClosed(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, data LONGTEXT, s BIGINT) ENGINE=InnoDB")
	const n0 = 20
	const insert = "INSERT INTO t SELECT seq, REPEAT('x', 40000), SLEEP(0.03) FROM seq_1_to_20 RETURNING id, data"
	for name, db := range map[string]*sql.DB{"bare": bare, "aio": aio(t, "mysql", dsn)} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		var id int
		var data string
		err = db.QueryRowContext(bg, insert).Scan(&id, &data)
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("%s: QueryRow.Scan says %v, id %d; the table has %d rows", name, err, id, n)
		if err == nil && n != n0 {
			t.Errorf("%s: LOST", name)
		}
	}
	e := engine(t, "mysql", dsn)
	_, err := bare.Exec("DELETE FROM t")
	ok(t, "delete", err)
	id, err := overlay.Scalar[int](bg, e, insert).Await(bg)
	n := rows(t, bare, "SELECT count(*) FROM t")
	t.Logf("Scalar says %v, id %d; the table has %d rows", err, id, n)
	if err == nil && n != n0 {
		t.Errorf("Scalar: LOST")
	}
}

// Several statements in a text that begins with SELECT.
func TestSelectThenWrite(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, s BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	const text = "SELECT 1; INSERT INTO t SELECT 1, SLEEP(0.3)"
	for name, f := range map[string]func() error{
		"ExecuteAsync": func() error { _, err := e.ExecuteAsync(bg, text).Await(bg); return err },
		"QueryAsync":   func() error { _, err := e.QueryAsync(bg, text).Await(bg); return err },
		"Scalar":       func() error { _, err := overlay.Scalar[int](bg, e, text).Await(bg); return err },
		"bare":         func() error { var n int; return bare.QueryRow(text).Scan(&n) },
		"aio":          func() error { var n int; return aio(t, "mysql", dsn).QueryRow(text).Scan(&n) },
		"Stream": func() error {
			r, err := e.StreamAsync(bg, text).Await(bg)
			if err != nil {
				return err
			}
			for _, err := range r.Rows(bg) {
				if err != nil {
					return err
				}
			}
			_, err = r.CloseAsync(bg).Await(bg)
			return err
		},
	} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		err = f()
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("%s: says %v; the table has %d rows", name, err, n)
		if err == nil && n != 1 {
			t.Errorf("%s: LOST", name)
		}
	}
}

// A stream is open as a commit comes that takes its time.
func TestCommitBesideStream(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB", "CREATE TABLE u (id BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	defer c.CloseAsync(bg)
	for _, open := range []bool{false, true} {
		tx, err := c.BeginAsync(bg, nil).Await(bg)
		ok(t, "begin", err)
		_, err = c.ExecAsync(bg, "INSERT INTO t VALUES (1)").Await(bg)
		ok(t, "insert", err)
		lock, err := bare.Conn(bg)
		ok(t, "conn", err)
		_, err = lock.ExecContext(bg, "FLUSH TABLES WITH READ LOCK")
		ok(t, "lock", err)
		if open {
			r, err := c.StreamAsync(bg, "SELECT seq, REPEAT('x', 40000), SLEEP(0.05) FROM seq_1_to_100").Await(bg)
			ok(t, "stream", err)
			_, err = r.FetchOneAsync(bg).Await(bg)
			ok(t, "fetch", err)
		}
		go func() {
			time.Sleep(600 * time.Millisecond)
			lock.ExecContext(bg, "UNLOCK TABLES")
			lock.Close()
		}()
		start := time.Now()
		_, err = tx.CommitAsync(context.Background()).Await(bg)
		t.Logf("stream open %v: CommitAsync says %v after %v", open, err, time.Since(start).Round(time.Millisecond))
		if err != nil {
			t.Errorf("a commit without a deadline was hung up")
		}
		time.Sleep(time.Second)
	}
	t.Logf("rows: %d", rows(t, bare, "SELECT count(*) FROM t"))
}

// A streamed write that fails after its first rows.
func TestStreamedWriteFails(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	const insert = "INSERT INTO t SELECT IF(seq = 50000, 1, seq) FROM seq_1_to_50000 RETURNING id"
	rs, err := bare.Query(insert)
	ok(t, "query", err)
	rs.Next()
	t.Logf("bare: rows.Close says %v", rs.Close())
	err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		r, err := c.StreamAsync(ctx, insert).Await(ctx)
		ok(t, "stream", err)
		_, err = r.FetchOneAsync(ctx).Await(ctx)
		ok(t, "fetch", err)
		_, err = r.CloseAsync(ctx).Await(ctx)
		t.Logf("overlay: CloseAsync says %v", err)
		return err
	})
	n := rows(t, bare, "SELECT count(*) FROM t")
	t.Logf("WithTx says %v; the table has %d rows", err, n)
	if err == nil && n == 0 {
		t.Errorf("a write that has failed was told as made")
	}
}

// DDL ends a transaction that is then said to be taken back.
func TestDDLInBatch(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	res, err := e.BatchAsync(bg, []overlay.Statement{
		{Query: "INSERT INTO t VALUES (1)"}, {Query: "CREATE TABLE x (id BIGINT)"}, {Query: "INSERT INTO t VALUES (2)"},
	}, overlay.InTx(nil)).Await(bg)
	t.Logf("Await: %v", err)
	for i, r := range res {
		t.Logf("%d: %v", i, r.Err)
	}
	t.Logf("rows: %d", rows(t, bare, "SELECT count(*) FROM t"))
	bare.Exec("DELETE FROM t")
	err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
		ok(t, "insert", err)
		_, err = c.ExecAsync(ctx, "CREATE TABLE y (id BIGINT)").Await(ctx)
		ok(t, "create", err)
		return context.Canceled
	})
	t.Logf("WithTx: %v; rows: %d", err, rows(t, bare, "SELECT count(*) FROM t"))
}

// A BeginTx on the SyncConn of a Conn whose CloseAsync is rolling back begins on the
// next user's connection.
func TestSyncConnAfterCloseMaria(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn, overlay.WithLanes(1))
	e.SyncDB().SetMaxOpenConns(1)
	c, err := e.ConnectAsync(bg).Await(bg)
	ok(t, "connect", err)
	sc := c.SyncConn()
	tx, err := sc.BeginTx(bg, nil)
	ok(t, "begin", err)
	_, err = tx.Exec("INSERT INTO t SELECT seq FROM seq_1_to_1000000")
	ok(t, "insert", err)
	start := time.Now()
	closing := c.CloseAsync(bg)
	time.Sleep(50 * time.Millisecond)
	result := make(chan error, 1)
	go func() {
		_, err := sc.BeginTx(bg, nil)
		result <- err
	}()
	closing.Await(bg)
	t.Log("CloseAsync took", time.Since(start))
	t.Log("late SyncConn.BeginTx:", <-result)
	for id := 1; id <= 3; id++ {
		_, err = e.SyncDB().Exec("INSERT INTO t VALUES (?)", id)
		t.Log("sql.DB's insert:", err)
	}
	t.Log("rows for others:", rows(t, bare, "SELECT count(*) FROM t"))
	e.Shutdown(bg)
	n := rows(t, bare, "SELECT count(*) FROM t")
	t.Log("rows after Shutdown:", n)
	if n != 3 {
		t.Error("LOST: inserts that were acknowledged")
	}
}

// A SELECT whose function writes, of which the caller wants the first row.
func TestSelectOfWritingFunction(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB",
		"CREATE FUNCTION f(n BIGINT) RETURNS LONGTEXT BEGIN INSERT INTO t VALUES (n); DO SLEEP(0.03); RETURN REPEAT('x', 40000); END")
	e := engine(t, "mysql", dsn)
	db := aio(t, "mysql", dsn)
	const text = "SELECT f(seq) FROM seq_1_to_20"
	for name, f := range map[string]func() error{
		"bare QueryRow": func() error { var s string; return bare.QueryRow(text).Scan(&s) },
		"aio QueryRow":  func() error { var s string; return db.QueryRow(text).Scan(&s) },
		"Scalar":        func() error { _, err := overlay.Scalar[string](bg, e, text).Await(bg); return err },
		"Stream, First": func() error {
			r, err := e.StreamAsync(bg, text).Await(bg)
			if err != nil {
				return err
			}
			_, err = r.FirstAsync(bg).Await(bg)
			r.CloseAsync(bg).Await(bg)
			return err
		},
	} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		err = f()
		t.Logf("%s: %v; rows %d", name, err, rows(t, bare, "SELECT count(*) FROM t"))
	}
}

// The answer to a COMMIT does not come: what the error says.
func TestCommitLost(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB")
	db := aio(t, "mysql", dsn)
	e := engine(t, "mysql", dsn)
	var told, kept [2]int
	for n := range 600 {
		way := n % 2
		var conn int
		run := func(c *sql.Conn, ctx context.Context) error {
			if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&conn); err != nil {
				return nil
			}
			tx, err := c.BeginTx(ctx, nil)
			if err != nil {
				return nil
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES (?)", n); err != nil {
				return nil
			}
			go func() {
				time.Sleep(time.Duration(n) * time.Microsecond)
				bare.Exec("KILL " + strconv.Itoa(conn))
			}()
			return tx.Commit()
		}
		var err error
		if way == 0 {
			c, cerr := db.Conn(bg)
			ok(t, "conn", cerr)
			err = run(c, bg)
			c.Close()
		} else {
			_, err = overlay.RunInThread(bg, e, func(ctx context.Context, c *sql.Conn) (int, error) { return 0, run(c, ctx) }).Await(bg)
		}
		if err != nil && !errors.Is(err, overlay.ErrOutcomeUnknown) {
			told[way]++
			if rows(t, bare, "SELECT count(*) FROM t WHERE id = "+strconv.Itoa(n)) == 1 {
				if kept[way]++; kept[way] == 1 {
					t.Logf("way %d: Commit says %v, and the row is there", way, err)
				}
			}
		}
	}
	t.Logf("sql.Tx: commits that failed without ErrOutcomeUnknown %d, of these kept %d; RunInThread: %d, %d", told[0], kept[0], told[1], kept[1])
}

// QueryRow of a plain SELECT with slow rows.
func TestQueryRowOfSlowSelect(t *testing.T) {
	dsn, bare := maria(t)
	for name, db := range map[string]*sql.DB{"bare": bare, "aio": aio(t, "mysql", dsn)} {
		failed := map[string]int{}
		for range 30 {
			var id int
			var s string
			var x int
			if err := db.QueryRow("SELECT seq, REPEAT('x', 40000), SLEEP(0.01) FROM seq_1_to_10").Scan(&id, &s, &x); err != nil {
				failed[err.Error()]++
			}
		}
		t.Log(name, "of 30 failed:", failed)
		if len(failed) > 0 {
			t.Error("a SELECT that nobody has cancelled was interrupted")
		}
	}
}

// A stream is open as its savepoint ends.
func TestStreamOpenAtSavepointsEnd(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	for n, query := range []string{
		"SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000", "SELECT seq, REPEAT('x', 1000) FROM seq_1_to_100000",
		"SELECT seq FROM seq_1_to_300", "SELECT seq FROM seq_1_to_300", "SELECT seq FROM seq_1_to_700", "SELECT seq, REPEAT('x', 10) FROM seq_1_to_300", "SELECT seq FROM seq_1_to_2000",
	} {
		way := "return nil"
		if n == 1 || n == 3 {
			way = "return an error"
		}
		bare.Exec("DELETE FROM t")
		var inner error
		err := e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
			ok(t, "insert", err)
			inner = c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (2)").Await(ctx)
				ok(t, "insert", err)
				r, err := c.StreamAsync(ctx, query).Await(ctx)
				ok(t, "stream", err)
				_, err = r.FetchOneAsync(ctx).Await(ctx)
				ok(t, "fetch", err)
				if way == "return an error" {
					return errors.New("fn's")
				}
				return nil
			})
			return nil
		})
		t.Logf("%s, %s: WithNested: %v; WithTx: %v; rows 1: %d, 2: %d", query, way, inner, err, rows(t, bare, "SELECT count(*) FROM t WHERE id = 1"), rows(t, bare, "SELECT count(*) FROM t WHERE id = 2"))
		if inner != nil && err == nil && rows(t, bare, "SELECT count(*) FROM t WHERE id = 2") > 0 {
			t.Error("refused, and KEPT")
		}
	}
}
