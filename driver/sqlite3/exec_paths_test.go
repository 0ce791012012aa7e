//go:build cgo

package sqlite3_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	aio "github.com/sqlaio/sqlaio/driver"
)

// go-sqlite3's Exec goes different ways inside, by what it is given.
var execPaths = []struct {
	name  string
	query string
	args  []any
}{
	{"no arguments", "insert into t values(1)", nil},
	{"one argument", "insert into t values(?)", []any{1}},
	{"all types", "insert into u values(?, ?, ?, ?, ?, ?, ?)", []any{int64(1), 1.5, "text", []byte("blob"), true, nil, time.Unix(1e9, 5e8).UTC()}},
	{"empty values", "insert into u values(?, ?, ?, ?, ?, ?, ?)", []any{0, 0.0, "", []byte{}, false, []byte(nil), time.Time{}}},
	{"numbered arguments", "insert into u(a, b) values(?2, ?1)", []any{1, 2}},
	{"an argument used twice", "insert into u(a, b) values(?1, ?1)", []any{7}},
	{"named with colon", "insert into u(a, b) values(:x, :y)", []any{sql.Named("x", 1), sql.Named("y", "b")}},
	{"named with at", "insert into u(a, b) values(@x, @y)", []any{sql.Named("y", 1), sql.Named("x", "b")}},
	{"named with dollar", "insert into u(a, b) values($x, $y)", []any{sql.Named("x", 1), sql.Named("y", "b")}},
	{"named with all prefixes", "insert into u(a, b, c) values(:x, @x, $x)", []any{sql.Named("x", 1)}},
	{"named that is not used", "insert into u(a) values(:x)", []any{sql.Named("x", 1), sql.Named("z", 2)}},
	{"named and by position", "insert into u(a, b) values(?, :y)", []any{1, sql.Named("y", 2)}},
	{"several statements", "insert into t values(1); insert into t values(2); insert into t values(3)", nil},
	{"several with a semicolon at the end", "insert into t values(1); insert into t values(2);", nil},
	{"arguments spread over statements", "insert into t values(?); insert into u(a, b) values(?, ?); insert into t values(?)", []any{1, 2, "3", 4}},
	{"the first has no arguments", "insert into t values(1); insert into t values(?)", []any{2}},
	{"the last has no arguments", "insert into t values(?); insert into t values(2)", []any{1}},
	{"named, over statements", "insert into t values(:x); insert into t values(:y); insert into t values(:x)", []any{sql.Named("x", 1), sql.Named("y", 2), sql.Named("x", 3)}},
	{"named for two statements", "insert into t values(:x); insert into t values(:x)", []any{sql.Named("x", 1)}},
	{"a comment at the end", "insert into t values(1) -- that is all", nil},
	{"a comment after the semicolon", "insert into t values(1); -- that is all\n", nil},
	{"a comment at the start", "/* so */ insert into t values(?)", []any{1}},
	{"a comment between", "insert into t values(?); -- and\n insert into t values(?)", []any{1, 2}},
	{"empty", "", nil},
	{"empty, with arguments", "", []any{1}},
	{"blanks", " \t\n ", nil},
	{"only a comment", "-- nothing", nil},
	{"only a comment, with arguments", "/* nothing */", []any{1, 2}},
	{"only semicolons", ";;;", nil},
	{"semicolons between", ";; insert into t values(1);; insert into t values(2);", nil},
	{"too few arguments", "insert into t values(?)", nil},
	{"too few for the second", "insert into t values(?); insert into t values(?)", []any{1}},
	{"too many arguments", "insert into t values(?)", []any{1, 2}},
	{"arguments for none", "insert into t values(1)", []any{1}},
	{"a syntax error", "insert inti t values(1)", nil},
	{"a syntax error, with arguments", "insert inti t values(?)", []any{1}},
	{"a syntax error in the second", "insert into t values(1); insert inti t values(2)", nil},
	{"a constraint fails", "insert into v values(1); insert into v values(1); insert into v values(2)", nil},
	{"a constraint fails, with arguments", "insert into v values(?); insert into v values(?); insert into v values(?)", []any{1, 1, 2}},
	{"no such table", "insert into nowhere values(1)", nil},
	{"an argument of no type", "insert into t values(?)", []any{struct{ X int }{1}}},
	{"a query", "select 1", nil},
	{"a query with rows, then a write", "select x from " + cancelEndless + " limit 5; insert into t values(1)", nil},
	{"returning", "insert into t values(?), (?) returning x", []any{1, 2}},
	{"a text with a zero in it", "insert into t values('a\x00b')", nil},
	{"an update", "insert into t values(1), (2), (3); update t set x = x + ?", []any{10}},
	{"a delete", "insert into t values(1), (2), (3); delete from t where x > ?", []any{1}},
	{"a pragma", "pragma user_version = 7", nil},
	{"a transaction in one text", "begin; insert into t values(1); commit", nil},
	{"a rollback in one text", "begin; insert into t values(1); rollback", nil},
	{"create and use", "create table w(x); insert into w values(?); drop table w", []any{1}},
}

// Each way of Exec gives the same results and does the same behind the shim,
// with a context that can end and with one that cannot.
func TestExecPaths(t *testing.T) {
	for ctxName, ctx := range contexts(t) {
		for _, p := range execPaths {
			t.Run(ctxName+"/"+p.name, func(t *testing.T) {
				cancelCompare(t, "", func(e *cancelEnv) {
					c := e.conn()
					defer c.Close()
					_, err := c.ExecContext(ctx, "create table u(a, b, c, d, e, f, g); create table v(x unique)")
					must(e, err)
					for range 2 {
						res, err := c.ExecContext(ctx, p.query, p.args...)
						e.say("%s", execResult(res, err))
						_, err = c.ExecContext(ctx, "delete from v")
						must(e, err)
					}
					s, err := c.PrepareContext(ctx, p.query)
					e.say("prepare: %v", err)
					if err == nil && !execNothing(p.query) {
						res, err := s.ExecContext(ctx, p.args...)
						e.say("%s", execResult(res, err))
					}
					if err == nil {
						e.say("close: %v", s.Close())
					}
					e.sayTable(c, "t")
					e.sayTable(c, "u")
					e.sayTable(c, "v")
					e.sayTable(c, "w")
				})
			})
		}
	}
}

// execNothing reports whether a text's first statement is none. Running that
// prepared crashes in go-sqlite3.
func execNothing(query string) bool {
	query = strings.TrimSpace(query)
	return query == "" || query[0] == ';' || !strings.Contains(query, " t ") && query[0] == '-' || strings.HasPrefix(query, "/* nothing")
}

// execResult tells all that Exec has returned, with the error's type and code.
func execResult(res sql.Result, err error) string {
	if err != nil {
		var s sqlite3.Error
		if errors.As(err, &s) {
			return fmt.Sprintf("%T %v (%d, %d)", err, err, s.Code, s.ExtendedCode)
		}
		return fmt.Sprintf("%T %v", err, err)
	}
	id, idErr := res.LastInsertId()
	n, nErr := res.RowsAffected()
	return fmt.Sprintf("id %d, %v; affected %d, %v", id, idErr, n, nErr)
}

// sayTable says what a table holds.
func (e *cancelEnv) sayTable(c *sql.Conn, table string) {
	rows, err := c.QueryContext(cancelBackground, "select * from "+table)
	if err != nil {
		e.say("%s: %v", table, err)
		return
	}
	defer rows.Close()
	columns, err := rows.Columns()
	must(e, err)
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(e, rows.Scan(values...))
		text := table
		for _, v := range values {
			text += fmt.Sprintf(" %T(%v)", *v.(*any), *v.(*any))
		}
		e.say("%s", text)
	}
	e.say("%s: %v", table, rows.Err())
}

// A cancel in the middle of an Exec of several statements stops it there: what
// came before is done, what comes after never is.
func TestCancelInSeveralStatements(t *testing.T) {
	slow := "insert into t select x from " + cancelEndless + " where mark(1) or x > 0"
	for _, p := range []struct {
		name  string
		query string
		args  []any
	}{
		{"no arguments", "insert into t values(1); " + slow + "; insert into t values(3)", nil},
		{"arguments", "insert into t values(?); " + slow + " and x > ?; insert into t values(?)", []any{1, 0, 3}},
		{"named", "insert into t values(:a); " + slow + " and x > :b; insert into t values(:c)",
			[]any{sql.Named("a", 1), sql.Named("b", 0), sql.Named("c", 3)}},
		{"in a transaction of its own", "begin; insert into t values(1); " + slow + "; insert into t values(3); commit", nil},
		{"the first", slow + "; insert into t values(2)", nil},
		{"the last", "insert into t values(1); " + slow, nil},
		{"a query", "insert into t values(1); select count(*) from " + cancelEndless + " where mark(1) or x > 0; insert into t values(3)", nil},
	} {
		t.Run(p.name, func(t *testing.T) {
			cancelCompare(t, "", func(e *cancelEnv) {
				c := e.conn()
				ctx, cancel := context.WithCancel(cancelBackground)
				defer cancel()
				e.at(1, cancel)
				_, err := c.ExecContext(ctx, p.query, p.args...)
				e.say("%v", errors.Is(err, context.Canceled))
				if e.name == "aio" && !errors.Is(err, aio.ErrOutcomeUnknown) { // a part of it may be done
					t.Errorf("error %v, want ErrOutcomeUnknown", err)
				}
				_, err = c.ExecContext(cancelBackground, "insert into t values(4)")
				e.say("next: %v", err)
				must(e, c.Close())
				e.say("%s, %d connections", e.xs(), e.db.Stats().OpenConnections)
			})
		})
	}
}

// Many short statements in one Exec: the interrupt has to meet one of them.
// Those that were done stay done, each whole.
func TestCancelInManyStatements(t *testing.T) {
	const statements = 200_000
	query := make([]byte, 0, statements*32)
	query = append(query, "select mark(1);"...)
	for range statements {
		query = append(query, "insert into t values(1);"...)
	}
	e := cancelAio(t, "")
	c := e.conn()
	defer c.Close()
	_, err := c.ExecContext(cancelBackground, "begin") // without a journal for each
	must(t, err)
	ctx, cancel := context.WithCancel(cancelBackground)
	defer cancel()
	var cancelled time.Time
	e.at(1, func() { cancelled = time.Now(); cancel() })
	_, err = c.ExecContext(ctx, string(query))
	took := time.Since(cancelled)
	if !errors.Is(err, context.Canceled) || took > 30*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	t.Logf("ended %v after its cancel", took)
	// An interrupted write has rolled the transaction back; if the interrupt came
	// while a statement was prepared, it is still open.
	c.ExecContext(cancelBackground, "rollback")
	_, err = c.ExecContext(cancelBackground, "begin; insert into t values(2); commit")
	must(t, err)
	if xs := e.xs(); xs != "[2]" {
		t.Errorf("%.40s", xs)
	}
}
