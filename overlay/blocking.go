package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/sqlaio/sqlaio/internal/face"
	"github.com/sqlaio/sqlaio/reflectguard"
)

// The methods below block, and give a warnings.BlockingWarning. Object-relational
// mappers and schema tools take an interface with these methods, so they accept an
// Engine or a Conn. SyncDB and SyncConn return handles that do not warn.

const (
	engineOptOut = "Engine.SyncDB()"
	connOptOut   = "Conn.SyncConn()"
)

// QueryContext is sql.DB's. It blocks, and warns.
func (e *Engine) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return queryContext(ctx, e.db, engineOptOut, query, args)
}

// ExecContext is sql.DB's. A transaction that it leaves open is rolled back
// (ErrTxLeftOpen). It blocks, and warns.
func (e *Engine) ExecContext(ctx context.Context, query string, args ...any) (r sql.Result, err error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := reflectguard.Handle(query, engineOptOut); err != nil {
		return nil, err
	}
	ctx = reflectguard.MayBlock(ctx)
	exec := func(sc *sql.Conn) (err error) {
		r, err = sc.ExecContext(ctx, query, args...)
		return err
	}
	// After ErrBadConn, with which nothing was done, it looks for a connection that
	// works. All that are in the pool may have died.
	for n := e.db.Stats().OpenConnections; ; n-- {
		if err = e.onConn(ctx, exec); !isBad(err) || n < 0 {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// onConn calls fn with a connection of the pool. A transaction that fn leaves open is
// rolled back.
func (e *Engine) onConn(ctx context.Context, fn func(*sql.Conn) error) (err error) {
	sc, err := e.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer sc.Close()
	pc, ok := face.OfConn(sc)
	if !ok {
		return fn(sc)
	}
	pc.RollBackLeft()
	defer func() { // after a panic too
		if _, was := pc.RollBackLeft(); was {
			err = leftOpen(err)
		}
	}()
	return fn(sc)
}

// PrepareContext is sql.DB's. It blocks, and warns.
func (e *Engine) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return prepareContext(ctx, e.db, engineOptOut, query)
}

// QueryRowContext is sql.DB's. It blocks, and warns.
func (e *Engine) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	leave, err := e.enter(ctx)
	if err != nil {
		return refusedRow(err)
	}
	defer leave()
	return queryRowContext(ctx, e.db, engineOptOut, query, args)
}

// BeginTx is sql.DB's. It blocks, and warns.
func (e *Engine) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return beginTx(ctx, e.db, engineOptOut, opts)
}

// RunCallable calls fn with a connection, in the calling goroutine, and returns its
// error. A transaction that fn leaves open is rolled back (ErrTxLeftOpen). It
// blocks, and warns: RunInThread does not.
func (e *Engine) RunCallable(ctx context.Context, fn func(*sql.Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	if err := reflectguard.Handle("", engineOptOut); err != nil {
		return err
	}
	leave, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return e.onConn(ctx, func(sc *sql.Conn) error { return onGuest(sc, fn) })
}

// onGuest calls fn with a sql.Conn of its own on the connection of sc, which can go back
// to the pool although fn has left rows or a transaction open.
func onGuest(sc *sql.Conn, fn func(*sql.Conn) error) (err error) {
	pc, ok := face.OfConn(sc)
	if !ok {
		return fn(sc)
	}
	g, err := face.NewGuest(pc)
	if err != nil {
		return err
	}
	defer func() { err = guestError(err, g.Leave()) }()
	return fn(g.Conn)
}

// enter is called before a call waits for a connection of the pool. It fails if that
// would be the one that the caller itself holds.
func (e *Engine) enter(ctx context.Context) (leave func(), err error) {
	if e.onlyConnection() {
		return nil, ErrWouldDeadlock
	}
	leave, err = e.leases.enterScope(ctx)
	if leave == nil {
		leave = func() {}
	}
	return leave, err
}

// onlyConnection reports whether the caller is on the thread of the only
// connection that the engine may have.
func (e *Engine) onlyConnection() bool { return e.leases.limit.Load() == 1 && e.onOwnThread() }

// QueryContext is sql.Conn's. It blocks, and warns.
func (c *Conn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return queryContext(ctx, c.SyncConn(), connOptOut, query, args)
}

// ExecContext is sql.Conn's. It blocks, and warns.
func (c *Conn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return execContext(ctx, c.SyncConn(), connOptOut, query, args)
}

// PrepareContext is sql.Conn's. It blocks, and warns.
func (c *Conn) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return prepareContext(ctx, c.SyncConn(), connOptOut, query)
}

// QueryRowContext is sql.Conn's. It blocks, and warns.
func (c *Conn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return queryRowContext(ctx, c.SyncConn(), connOptOut, query, args)
}

// BeginTx is sql.Conn's. It blocks, and warns.
func (c *Conn) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	return beginTx(ctx, c.SyncConn(), connOptOut, opts)
}

// RunCallable calls fn with the connection, in the calling goroutine, and returns its
// error. It blocks, and warns: RunInThread does not.
func (c *Conn) RunCallable(_ context.Context, fn func(*sql.Conn) error) error {
	if fn == nil {
		return errNoFunction
	}
	if err := reflectguard.Handle("", connOptOut); err != nil {
		return err
	}
	return fn(c.SyncConn())
}

// blocker is what sql.DB and sql.Conn have in common.
type blocker interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	BeginTx(context.Context, *sql.TxOptions) (*sql.Tx, error)
}

// Each of these warns before it makes its call, so the driver need not warn again.

func queryContext(ctx context.Context, b blocker, optOut, query string, args []any) (*sql.Rows, error) {
	if err := reflectguard.Handle(query, optOut); err != nil {
		return nil, err
	}
	return b.QueryContext(reflectguard.MayBlock(ctx), query, args...)
}

func execContext(ctx context.Context, b blocker, optOut, query string, args []any) (sql.Result, error) {
	if err := reflectguard.Handle(query, optOut); err != nil {
		return nil, err
	}
	return b.ExecContext(reflectguard.MayBlock(ctx), query, args...)
}

func prepareContext(ctx context.Context, b blocker, optOut, query string) (*sql.Stmt, error) {
	if err := reflectguard.Handle(query, optOut); err != nil {
		return nil, err
	}
	return b.PrepareContext(reflectguard.MayBlock(ctx), query)
}

func beginTx(ctx context.Context, b blocker, optOut string, opts *sql.TxOptions) (*sql.Tx, error) {
	if err := reflectguard.Handle("BEGIN", optOut); err != nil {
		return nil, err
	}
	return b.BeginTx(reflectguard.MayBlock(ctx), opts)
}

func queryRowContext(ctx context.Context, b blocker, optOut, query string, args []any) *sql.Row {
	if err := reflectguard.Handle(query, optOut); err != nil {
		return refusedRow(err)
	}
	return b.QueryRowContext(reflectguard.MayBlock(ctx), query, args...)
}

// refusedRow returns a row with an error, which only a sql.DB can make.
func refusedRow(err error) *sql.Row {
	db := sql.OpenDB(refuser{err})
	defer db.Close()
	return db.QueryRowContext(background, "")
}

// refuser is a database to which nobody can connect.
type refuser struct{ err error }

func (r refuser) Connect(context.Context) (driver.Conn, error) { return nil, r.err }
func (r refuser) Driver() driver.Driver                        { return nil }
