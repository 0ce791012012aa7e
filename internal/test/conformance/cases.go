package conformance

import (
	"context"
	"database/sql"
	"slices"
)

// Cases returns all cases but the random one.
func Cases() []Case {
	return slices.Concat(
		programCases(), argumentCases(), checkerCases(), skipCases(), prepareCases(),
		faultCases(), panicCases(), badConnCases(),
		txCases(), contextCases(), cancelCases(), endedTxCases(), sessionCases(),
		rowsCases(), setCases(), scanCases(), columnCases(),
		connectorCases(), poolCases(), rawCases(),
	)
}

// A session runs statements: *sql.DB, *sql.Conn, *sql.Tx, and each of them
// through prepared statements.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// prepared runs the statements of a session by preparing them first.
type prepared struct {
	session
	e *Env
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
	p.e.later(s) // on a connection it would take the rows with it
	return s.QueryContext(ctx, args...)
}

// eachSession runs fn with every kind of session.
func (e *Env) eachSession(fn func(label string, s session)) {
	fn("db", e.DB)
	fn("db stmt", prepared{e.DB, e})
	e.flush()

	if c, err := e.DB.Conn(background); !e.Err("Conn", err) {
		fn("conn", c)
		fn("conn stmt", prepared{c, e})
		e.flush()
		e.Err("Conn.Close", c.Close())
	}
	if tx, err := e.DB.Begin(); !e.Err("Begin", err) {
		fn("tx", tx)
		fn("tx stmt", prepared{tx, e})
		e.flush()
		e.Err("Commit", tx.Commit())
	}
}

// exec runs a statement and writes down its result.
func (e *Env) exec(label string, s session, query string, args ...any) {
	res, err := s.ExecContext(background, query, args...)
	e.Result(label+" exec "+query, res, err)
}

// query runs a query and writes down its rows.
func (e *Env) query(label string, s session, query string, args ...any) {
	rows, err := s.QueryContext(background, query, args...)
	e.Rows(label+" query "+query, rows, err)
}

// both runs a statement with Exec and with Query.
func (e *Env) both(label string, s session, query string, args ...any) {
	e.exec(label, s, query, args...)
	e.query(label, s, query, args...)
}
