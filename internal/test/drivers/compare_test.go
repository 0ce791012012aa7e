package drivers

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lib/pq"
)

// env is what a program works with: a pool on an empty database, and a place to
// write down what it sees.
type env struct {
	database
	t        testing.TB
	db       *sql.DB
	prepared []*sql.Stmt // to be closed by flush
	races    bool        // for what follows some drivers do not always give the same errors: see raced
	notes    []string
}

// compare runs a program bare and through aio and reports how they differ.
func compare(t *testing.T, program func(*env)) {
	eachDatabase(t, func(t *testing.T, d database) {
		var sides [2]*env
		for i := range sides {
			e := &env{database: d, t: t, db: d.open(t, i == 1)}
			program(e)
			if n := e.db.Stats().InUse; n != 0 {
				e.see("left in use", n)
			}
			must(t, e.db.Close())
			sides[i] = e
		}
		bare, wrapped := sides[0].notes, sides[1].notes
		for i := range max(len(bare), len(wrapped)) {
			if at(bare, i) != at(wrapped, i) {
				t.Errorf("bare: %s\n aio: %s", at(bare, i), at(wrapped, i))
			}
		}
		t.Logf("%d observations", len(bare))
	})
}

func at(notes []string, i int) string {
	if i >= len(notes) {
		return "(nothing)"
	}
	return notes[i]
}

// see writes down values with their types.
func (e *env) see(label string, values ...any) {
	var b strings.Builder
	b.WriteString(label)
	for _, v := range values {
		switch v := v.(type) {
		case time.Time:
			fmt.Fprintf(&b, " time.Time(%v in %v)", v.Format(time.RFC3339Nano), v.Location())
		case string, []byte:
			fmt.Fprintf(&b, " %T(%q)", v, v)
		default:
			fmt.Fprintf(&b, " %T(%+v)", v, v)
		}
	}
	e.notes = append(e.notes, b.String())
}

var volatile = regexp.MustCompile(`127\.0\.0\.1:\d+|sqlaio_\d+_\d+`)

// err writes down an error, with its type and what it wraps. It reports
// whether there was one.
func (e *env) err(label string, err error) bool {
	if e.races && e.name == "pq" && raced(err) {
		e.see(label + " ended as it may")
		return err != nil
	}
	var b strings.Builder
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		fmt.Fprintf(&b, " %T(%s)", inner, volatile.ReplaceAllString(inner.Error(), "*"))
	}
	for _, sentinel := range []error{
		context.Canceled, context.DeadlineExceeded, driver.ErrBadConn,
		sql.ErrTxDone, sql.ErrConnDone, sql.ErrNoRows,
	} {
		if errors.Is(err, sentinel) {
			fmt.Fprintf(&b, " is %q", sentinel)
		}
	}
	e.notes = append(e.notes, label+" error:"+b.String())
	return err != nil
}

// raced reports whether err is one of the ways in which a race can end that
// lib/pq has with itself, bare too: the cancel request that it sends for a context
// which has ended may come before its statement or after, and a server that has
// gone may have sent its last message or a reset.
func raced(err error) bool {
	var refused *pq.Error
	var broken *net.OpError
	return err == nil || errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, io.EOF) || errors.As(err, &broken) ||
		errors.As(err, &refused) && (refused.Code == "57014" || refused.Code == "57P01") // cancelled, terminated
}

func (e *env) result(label string, r sql.Result, err error) {
	if e.err(label, err) {
		return
	}
	defer func() { // modernc.org/sqlite has no result for no statement
		if v := recover(); v != nil {
			e.see(label+" panic", fmt.Sprint(v))
		}
	}()
	id, err := r.LastInsertId()
	e.see(label+" id", id)
	e.err(label+" id", err)
	n, err := r.RowsAffected()
	e.see(label+" affected", n)
	e.err(label+" affected", err)
}

// rows writes down all rows of all result sets, and their columns.
func (e *env) rows(label string, rows *sql.Rows, err error) {
	if e.err(label, err) {
		return
	}
	for set := 0; ; set++ {
		label := fmt.Sprintf("%s set %d", label, set)
		columns, err := rows.Columns()
		e.err(label+" columns", err)
		e.columnTypes(label, rows)
		for rows.Next() {
			e.see(label, scan(rows, len(columns))...)
		}
		e.err(label+" end", rows.Err())
		if !rows.NextResultSet() {
			break
		}
	}
	e.err(label+" at last", rows.Err())
	e.err(label+" close", rows.Close())
}

func scan(rows *sql.Rows, n int) []any {
	values, dest := make([]any, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return []any{err.Error()}
	}
	return values
}

func (e *env) columnTypes(label string, rows *sql.Rows) {
	types, err := rows.ColumnTypes()
	e.err(label+" types", err)
	for _, c := range types {
		length, hasLength := c.Length()
		nullable, knowsNullable := c.Nullable()
		precision, scale, hasPrecision := c.DecimalSize()
		e.see(label+" column", c.Name(), c.DatabaseTypeName(), fmt.Sprint(c.ScanType()), length, hasLength,
			nullable, knowsNullable, precision, scale, hasPrecision)
	}
}

// session is what runs statements: a DB, a Conn, a Tx, and each of them
// through prepared statements.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepared runs the statements of a session by preparing them first.
type prepared struct {
	session
	e *env
}

func (p prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.session.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.ExecContext(ctx, args...)
}

func (p prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.session.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.e.prepared = append(p.e.prepared, s) // on a connection it would take the rows with it
	return s.QueryContext(ctx, args...)
}

// flush closes the statements whose rows have been read.
func (e *env) flush() {
	for _, s := range e.prepared {
		e.err("Stmt.Close", s.Close())
	}
	e.prepared = nil
}

// eachSession runs fn with every kind of session, under a context that can end.
func (e *env) eachSession(fn func(label string, s session)) {
	fn("db", e.db)
	fn("db stmt", prepared{e.db, e})
	if c, err := e.db.Conn(background); !e.err("Conn", err) {
		fn("conn", c)
		fn("conn stmt", prepared{c, e})
		e.err("Conn.Close", c.Close())
	}
	if tx, err := e.db.Begin(); !e.err("Begin", err) {
		fn("tx", tx)
		e.err("Commit", tx.Commit())
	}
	if tx, err := e.db.Begin(); !e.err("Begin", err) {
		fn("tx stmt", prepared{tx, e})
		e.err("Rollback", tx.Rollback())
	}
}

// exec and query run a statement and write down what comes of it.
func (e *env) exec(label string, s session, query string, args ...any) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	r, err := s.ExecContext(ctx, e.sql(query), args...)
	e.result(label+" "+query, r, err)
}

func (e *env) query(label string, s session, query string, args ...any) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	rows, err := s.QueryContext(ctx, e.sql(query), args...)
	e.rows(label+" "+query, rows, err)
	e.flush()
}

// must executes a statement that prepares for others.
func (e *env) must(query string, args ...any) {
	e.t.Helper()
	_, err := e.db.Exec(e.sql(query), args...)
	must(e.t, err)
}
