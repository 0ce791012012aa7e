package overlay

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync/atomic"
)

// A Tx is a transaction on a Conn, or a savepoint in one. The statements in it are
// made on the Conn. One that is garbage collected while it is open is rolled back,
// with a ResourceWarning.
type Tx struct {
	conn *Conn
	*level
}

// level is one transaction or savepoint. Its fields are the thread's.
type level struct {
	tx    driver.Tx   // of the outermost; the handle's, for a sql.Tx would keep its sql.Conn from being dropped
	name  string      // of a savepoint
	over  atomic.Bool // committed, rolled back, or gone with the one around it
	place site
}

// txState is what a connection knows about its transaction. It is the thread's.
type txState struct {
	levels   []*level
	names    int             // savepoints so far
	doubtful bool            // a call has failed: the database may have rolled back
	lost     bool            // it has
	changed  func(open bool) // of a Conn: told after each call; nil: of an Engine
}

// BeginAsync begins a transaction. ctx bounds the beginning alone: the
// transaction lasts until it is ended, or its Conn is closed. With one open already
// it fails with ErrInTransaction.
func (c *Conn) BeginAsync(ctx context.Context, opts *sql.TxOptions) *Future[*Tx] {
	return c.beginAsync(ctx, func(ctx context.Context, l *lane) (*level, error) { return l.begin(ctx, opts) })
}

// BeginNestedAsync makes a savepoint in the open transaction, to any depth.
// Without one it begins a transaction.
func (c *Conn) BeginNestedAsync(ctx context.Context) *Future[*Tx] {
	return c.beginAsync(ctx, func(ctx context.Context, l *lane) (*level, error) {
		if len(l.tx.levels) == 0 {
			return l.begin(ctx, nil)
		}
		return l.savepoint(ctx)
	})
}

func (c *Conn) beginAsync(ctx context.Context, begin func(context.Context, *lane) (*level, error)) *Future[*Tx] {
	place := caller(c.s.config)
	return sendFrom(ctx, c, statement, place, func(ctx context.Context, l *lane) (*Tx, error) {
		v, err := begin(ctx, l)
		if err != nil {
			return nil, err
		}
		if cause := l.current.Load().stopped(); cause != nil { // nobody would end it
			l.end(v, false)
			return nil, cause
		}
		v.place = place
		return newTx(c, v), nil
	})
}

// CommitAsync commits a transaction, or releases a savepoint. If that fails the
// transaction is rolled back. A commit cannot be interrupted: ctx may
// withdraw it before it begins.
func (t *Tx) CommitAsync(ctx context.Context) *Future[struct{}] { return t.endAsync(ctx, true) }

// RollbackAsync rolls back a transaction, or to a savepoint. If the database has done
// so by itself it returns nil; after CommitAsync or RollbackAsync, sql.ErrTxDone.
func (t *Tx) RollbackAsync(ctx context.Context) *Future[struct{}] { return t.endAsync(ctx, false) }

// CloseAsync rolls back what is still open, and does nothing otherwise. That ctx has
// ended does not keep it from that.
func (t *Tx) CloseAsync(ctx context.Context) *Future[struct{}] {
	if t.over.Load() {
		return completed(t.conn.s.config, struct{}{}, nil)
	}
	v := t.level
	s := t.conn.s
	// Another goroutine's call does not keep the transaction from being closed.
	return start(context.WithoutCancel(ctx), s.pool, callOptions{kind: firm, place: caller(s.config)}, func(ctx context.Context, l *lane) (struct{}, error) {
		if v.over.Load() {
			return struct{}{}, nil
		}
		return struct{}{}, l.end(v, false)
	})
}

// Conn returns the connection of the transaction.
func (t *Tx) Conn() *Conn { return t.conn }

func (t *Tx) endAsync(ctx context.Context, commit bool) *Future[struct{}] {
	v := t.level
	return send(ctx, t.conn, firm, func(ctx context.Context, l *lane) (struct{}, error) {
		return struct{}{}, l.end(v, commit)
	})
}

// begin begins a transaction on the thread.
func (l *lane) begin(ctx context.Context, opts *sql.TxOptions) (*level, error) {
	if len(l.tx.levels) > 0 {
		return nil, ErrInTransaction
	}
	l.ready()
	var o driver.TxOptions
	if opts != nil {
		o = driver.TxOptions{Isolation: driver.IsolationLevel(opts.Isolation), ReadOnly: opts.ReadOnly}
	}
	// The transaction outlives the call, so its context must too.
	tx, err := l.h.Begin(context.WithoutCancel(ctx), o)
	if err != nil {
		return nil, err
	}
	v := &level{tx: tx}
	l.tx.levels = append(l.tx.levels, v)
	return v, nil
}

func (l *lane) savepoint(ctx context.Context) (*level, error) {
	l.tx.names++
	v := &level{name: fmt.Sprintf("sqlaio_%d", l.tx.names)}
	if err := l.statement(ctx, "SAVEPOINT "+v.name); err != nil {
		return nil, err
	}
	l.tx.levels = append(l.tx.levels, v)
	return v, nil
}

// end commits or rolls back a level, and ends those in it.
func (l *lane) end(v *level, commit bool) (err error) {
	if v.over.Load() {
		return sql.ErrTxDone
	}
	if c := l.current.Load(); c != nil && c.stopped() != nil && l.h.CanInterrupt() {
		l.dropSources() // SQLite keeps stopping what begins while they are open
	}
	l.h.Firmly(func() { err = l.endFirmly(v, commit) })
	return err
}

func (l *lane) endFirmly(v *level, commit bool) error {
	at := 0
	for l.tx.levels[at] != v {
		at++
	}
	gone := !l.inTransaction() // the database has rolled it back by itself
	for _, inner := range l.tx.levels[at:] {
		inner.over.Store(true)
	}
	l.tx.levels = l.tx.levels[:at]
	if v.tx != nil {
		l.closeSources()
		l.tx.lost = false
		return l.endOutermost(v.tx, commit, gone)
	}
	switch {
	case gone && commit:
		return errRolledBack
	case gone:
		return nil
	case commit:
		err := l.statement(background, "RELEASE SAVEPOINT "+v.name)
		if err != nil {
			l.statement(background, "ROLLBACK TO SAVEPOINT "+v.name)
		}
		return err
	}
	if err := l.statement(background, "ROLLBACK TO SAVEPOINT "+v.name); err != nil {
		return err
	}
	return l.statement(background, "RELEASE SAVEPOINT "+v.name)
}

func (l *lane) endOutermost(tx driver.Tx, commit, gone bool) error {
	switch {
	case gone && commit:
		return errRolledBack
	case gone:
		return nil
	case !commit:
		return tx.Rollback()
	}
	err := tx.Commit()
	if err != nil && l.inTransaction() {
		l.statement(background, "ROLLBACK")
	}
	return err
}

// statement executes a statement of the overlay's own.
func (l *lane) statement(ctx context.Context, text string) error {
	l.ready()
	_, err := l.h.Exec(ctx, text, nil)
	return err
}

// observe looks after a call on a Conn whether a transaction is open: where
// that costs nothing always, elsewhere if the call has failed in one.
func (l *lane) observe(err error) {
	if l.tx.changed == nil {
		return
	}
	if err != nil {
		l.tx.doubtful = true
	}
	l.tx.changed(l.inTransaction())
}

// inTransaction tells whether a transaction is open: as the database says, or
// if it was not asked, as begin and end have left it.
func (l *lane) inTransaction() bool {
	known := len(l.tx.levels) > 0
	if l.dead { // nobody is left to ask
		l.tx.lost = known
		return false
	}
	if known && l.tx.doubtful {
		l.ready() // the question may be a query
	}
	auto, ok := l.home.config.dialect.autocommit(l.h, known && l.tx.doubtful)
	l.tx.doubtful = false
	if !ok {
		return known && !l.tx.lost
	}
	l.tx.lost = known && auto
	return !auto
}

// cleanUp leaves the connection as the next user wants it.
func (l *lane) cleanUp() {
	l.closeSources()
	if len(l.tx.levels) > 0 {
		l.end(l.tx.levels[0], false)
	} else if l.tx.changed != nil && l.inTransaction() {
		l.statement(background, "ROLLBACK") // one of the application's own
	}
}

// WithTx calls fn with a connection in a transaction, commits when fn returns nil,
// and rolls back when it returns an error or panics. It blocks until then. It
// returns fn's error, or that of the commit, after which nothing is left of the
// transaction.
func (e *Engine) WithTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error) error {
	return e.WithConn(ctx, func(ctx context.Context, c *Conn) error { return c.WithTx(ctx, opts, fn) })
}

// WithTx is Engine.WithTx on this connection.
func (c *Conn) WithTx(ctx context.Context, opts *sql.TxOptions, fn func(ctx context.Context, c *Conn) error) error {
	return c.within(ctx, c.BeginAsync(ctx, opts), fn)
}

// WithNested is WithTx with a savepoint.
func (c *Conn) WithNested(ctx context.Context, fn func(ctx context.Context, c *Conn) error) error {
	return c.within(ctx, c.BeginNestedAsync(ctx), fn)
}

func (c *Conn) within(ctx context.Context, begun *Future[*Tx], fn func(ctx context.Context, c *Conn) error) error {
	tx, err := begun.Await(ctx)
	if err != nil {
		begun.Cancel()
		begun.whenDone(func() { // by no dispatcher: the rollback comes before the next call
			if begun.result() == nil { // it came after all
				f := begun.value.CloseAsync(background)
				f.whenDone(func() { f.result() }) // nobody is left to be told
			}
		})
		return err
	}
	defer func() { tx.CloseAsync(background).Await(background) }()
	if err := fn(ctx, c); err != nil {
		return err
	}
	_, err = tx.CommitAsync(ctx).Await(background)
	return err
}
