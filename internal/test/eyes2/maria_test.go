package eyes2_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/sqlaio/sqlaio/overlay"
)

// Queries that write, whose text looks as if it did not.
func TestWritesTakenForReads(t *testing.T) {
	const body = "(n BIGINT) RETURNS BIGINT MODIFIES SQL DATA BEGIN INSERT INTO t VALUES (n); DO SLEEP(0.03); RETURN n; END"
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB",
		"CREATE FUNCTION log"+body, "CREATE FUNCTION f"+body, "CREATE FUNCTION audit$count"+body,
		"CREATE VIEW v AS SELECT f(seq) AS n FROM seq_1_to_20")
	e := engine(t, "mysql", dsn)
	db := aio(t, "mysql", dsn)
	var schema string
	ok(t, "schema", bare.QueryRow("SELECT database()").Scan(&schema))
	for _, text := range []string{
		"SELECT " + schema + ".log(seq), REPEAT('x', 40000) FROM seq_1_to_20",
		"SELECT f/* audit */(seq), REPEAT('x', 40000) FROM seq_1_to_20",
		"SELECT f -- audit\n(seq), REPEAT('x', 40000) FROM seq_1_to_20",
		"SELECT audit$count(seq), REPEAT('x', 40000) FROM seq_1_to_20",
		"SELECT n, REPEAT('x', 40000) FROM v",
	} {
		for name, f := range map[string]func() error{
			"bare": func() error { var n int; var s string; return bare.QueryRow(text).Scan(&n, &s) },
			"aio":  func() error { var n int; var s string; return db.QueryRow(text).Scan(&n, &s) },
			"Scalar": func() error {
				_, err := overlay.Scalar[int](bg, e, text).Await(bg)
				return err
			},
			"stream": func() error {
				r, err := e.StreamAsync(bg, text).Await(bg)
				if err != nil {
					return err
				}
				_, err = r.FirstAsync(bg).Await(bg)
				return err
			},
		} {
			_, err := bare.Exec("DELETE FROM t")
			ok(t, "delete", err)
			err = f()
			n := rows(t, bare, "SELECT count(*) FROM t")
			t.Logf("%s: %s: %v; rows %d", text, name, err, n)
			if err == nil && n != 20 {
				t.Errorf("%s: %s: LOST", text, name)
			}
		}
	}
}

// Compound statements that end nothing.
func TestCompoundInTx(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	for _, text := range []string{
		"FOR i IN 1..3 DO INSERT INTO t VALUES (i); END FOR",
		"IF 1 THEN BEGIN INSERT INTO t VALUES (1); END; END IF",
		"IF 1 THEN INSERT INTO t VALUES (1); ELSE BEGIN DO 0; END; END IF",
		"IF 0 THEN COMMIT; END IF",
	} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		_, err = bare.Exec(text)
		t.Logf("bare: %s: %v", text, err)
		err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, text).Await(ctx)
			t.Logf("  in WithTx: %v", err)
			_, err = c.ExecAsync(ctx, "INSERT INTO t VALUES (9)").Await(ctx)
			return err
		})
		t.Logf("  WithTx: %v", err)
		if err != nil {
			t.Errorf("%s: refused", text)
		}
	}
}

// Texts that end the transaction and begin another one.
func TestEndedAndBegunInTx(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT) ENGINE=InnoDB", "CREATE PROCEDURE p() BEGIN COMMIT; START TRANSACTION; END")
	e := engine(t, "mysql", dsn)
	for _, text := range []string{
		"CREATE TEMPORARY TABLE tt (a INT); COMMIT; BEGIN",
		"DO 1; COMMIT; START TRANSACTION",
		"CREATE TABLE u (a INT); BEGIN",
		"COMMIT; DO 1; BEGIN",
		"CALL p()",
		"/*!40000 COMMIT AND CHAIN */",
	} {
		bare.Exec("DROP TABLE IF EXISTS u")
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		own := errors.New("the application's own")
		err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			c.ExecAsync(ctx, "INSERT INTO t VALUES (1)").Await(ctx)
			_, err := c.ExecAsync(ctx, text).Await(ctx)
			t.Logf("%s: %v", text, err)
			_, err = c.ExecAsync(ctx, "INSERT INTO t VALUES (2)").Await(ctx)
			t.Logf("  next: %v", err)
			return own
		})
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("  WithTx: %v; rows %d", err, n)
		if n > 0 && !errors.Is(err, overlay.ErrTxEnded) {
			t.Errorf("%s: kept, and not told", text)
		}
	}
}

// A write with RETURNING whose context ends as its rows are being closed.
func TestReturningClosedAtTheEnd(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, data LONGTEXT, s BIGINT) ENGINE=InnoDB")
	const insert = "INSERT INTO t SELECT seq, REPEAT('x', 40000), SLEEP(0.05) FROM seq_1_to_20 RETURNING id, data"
	for name, db := range map[string]*sql.DB{"bare": bare, "aio": aio(t, "mysql", dsn)} {
		for range 4 {
			_, err := bare.Exec("DELETE FROM t")
			ok(t, "delete", err)
			ctx, cancel := context.WithTimeout(bg, 400*time.Millisecond)
			var id int
			var data string
			start := time.Now()
			err = db.QueryRowContext(ctx, insert).Scan(&id, &data)
			d := time.Since(start).Round(time.Millisecond)
			cancel()
			time.Sleep(200 * time.Millisecond)
			n := rows(t, bare, "SELECT count(*) FROM t")
			t.Logf("%s: QueryRow.Scan says %v after %v, id %d; the table has %d rows", name, err, d, id, n)
			if err == nil && n != 20 {
				t.Errorf("%s: LOST", name)
			}
		}
	}
}

// The same with rows that were read until the first fill was over.
func TestReturningClosedLate(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT, data LONGTEXT, s BIGINT) ENGINE=InnoDB")
	const insert = "INSERT INTO t SELECT seq, REPEAT('x', 40000), SLEEP(0.05) FROM seq_1_to_100 RETURNING id, data"
	for name, db := range map[string]*sql.DB{"bare": bare, "aio": aio(t, "mysql", dsn)} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		ctx, cancel := context.WithTimeout(bg, 1500*time.Millisecond)
		start := time.Now()
		rs, err := db.QueryContext(ctx, insert)
		ok(t, "query", err)
		rs.Next()
		time.Sleep(1000 * time.Millisecond) // the first rows are there
		err = rs.Close()
		d := time.Since(start).Round(time.Millisecond)
		cancel()
		time.Sleep(200 * time.Millisecond)
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("%s: Close says %v after %v (deadline 1.5s); the table has %d rows", name, err, d, n)
		if err == nil && n != 100 {
			t.Errorf("%s: LOST", name)
		}
		if d > 2*time.Second {
			t.Errorf("%s: Close came %v after the start", name, d)
		}
	}
}

// A stream whose context ends while a fetch with another one waits for a row.
func TestStreamsContextEndsDuringAFetch(t *testing.T) {
	dsn, _ := maria(t)
	e := engine(t, "mysql", dsn)
	for _, how := range []string{"context", "close"} {
		ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
		if how == "close" {
			ctx = bg
		}
		r, err := e.StreamAsync(ctx, "SELECT seq, REPEAT('x', 40000), IF(seq > 5, SLEEP(1), 0) FROM seq_1_to_8").Await(bg)
		ok(t, "stream", err)
		start := time.Now()
		f := r.FetchAllAsync(bg)
		if how == "close" {
			time.Sleep(300 * time.Millisecond)
			r.CloseAsync(bg)
		}
		_, err = f.Await(bg)
		t.Logf("%s: FetchAll says %v after %v", how, err, time.Since(start).Round(time.Millisecond))
		if d := time.Since(start); d > time.Second {
			t.Errorf("%s: the fetch went on for %v", how, d)
		}
		cancel()
	}
}

// A streamed write fails in a savepoint, which is rolled back.
func TestStreamFailsInASavepoint(t *testing.T) {
	dsn, bare := maria(t, "CREATE TABLE t (id BIGINT PRIMARY KEY) ENGINE=InnoDB")
	e := engine(t, "mysql", dsn)
	const insert = "INSERT INTO t SELECT IF(seq = 50000, 1, seq) FROM seq_1_to_50000 RETURNING id"
	own := errors.New("the application's own")
	for _, result := range []error{nil, own} {
		_, err := bare.Exec("DELETE FROM t")
		ok(t, "delete", err)
		err = e.WithTx(bg, nil, func(ctx context.Context, c *overlay.Conn) error {
			_, err := c.ExecAsync(ctx, "INSERT INTO t VALUES (-1)").Await(ctx)
			ok(t, "insert", err)
			err = c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
				r, err := c.StreamAsync(ctx, insert).Await(ctx)
				ok(t, "stream", err)
				_, err = r.FetchOneAsync(ctx).Await(ctx)
				ok(t, "fetch", err)
				return result
			})
			t.Logf("WithNested (fn says %v): %v", result, err)
			return nil
		})
		n := rows(t, bare, "SELECT count(*) FROM t")
		t.Logf("WithTx: %v; rows %d", err, n)
		if err != nil {
			t.Errorf("fn says %v: the outer transaction is refused for an error that was told, and undone", result)
		}
	}
}
