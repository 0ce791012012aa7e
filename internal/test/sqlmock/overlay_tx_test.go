package sqlmock_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
)

// update is a call that a transaction is made of.
func update(ctx context.Context, c *overlay.Conn) error {
	_, err := c.ExecAsync(ctx, "UPDATE", 1).Await(ctx)
	return err
}

func TestOverlayWithTx(t *testing.T) {
	for name, c := range map[string]struct {
		expect func(sqlmock.Sqlmock)
		want   error
	}{
		"commits": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(done)
			m.ExpectCommit()
		}, nil},
		"begin fails": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin().WillReturnError(errScripted)
		}, errScripted},
		"the statement fails": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(errScripted)
			m.ExpectRollback()
		}, errScripted},
		"the statement fails, and the rollback": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(errScripted)
			m.ExpectRollback().WillReturnError(sql.ErrConnDone)
		}, errScripted},
		"commit fails": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(done)
			m.ExpectCommit().WillReturnError(errScripted)
		}, errScripted},
	} {
		t.Run(name, func(t *testing.T) {
			e, m := overlaytest.New(t)
			c.expect(m)
			same(t, e.WithTx(background, nil, update), c.want)
		})
	}
}

func TestOverlayWithTxRollsBackAtAPanic(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectRollback()
	defer func() { same(t, recover(), any("scripted panic")) }()
	e.WithTx(background, nil, func(context.Context, *overlay.Conn) error { panic("scripted panic") })
}

func TestOverlayTransaction(t *testing.T) {
	e, m := overlaytest.New(t)
	for range 2 {
		m.ExpectBegin()
		m.ExpectRollback()
	}
	same(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
		tx := await(t, c.BeginAsync(ctx, &sql.TxOptions{ReadOnly: true}))
		same(t, c.InTransaction(), true)
		same(t, c.Tx(), tx)
		same(t, failure(c.BeginAsync(ctx, nil)), overlay.ErrInTransaction)
		await(t, tx.RollbackAsync(ctx))
		same(t, c.InTransaction(), false)
		same(t, failure(tx.CommitAsync(ctx)), sql.ErrTxDone)

		await(t, c.BeginAsync(ctx, nil)) // which the connection's end rolls back
		return nil
	}), overlay.ErrTxLeftOpen)
}

// A rollback that fails is told, and nobody uses the connection afterwards: the mock cannot
// say whether the transaction is open.
func TestOverlayRollbackThatFails(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectRollback().WillReturnError(errScripted)
	m.ExpectExec("UPDATE").WillReturnResult(done)
	ok(t, e.WithConn(background, func(ctx context.Context, c *overlay.Conn) error {
		tx := await(t, c.BeginAsync(ctx, nil))
		same(t, failure(tx.RollbackAsync(ctx)), errScripted)
		same(t, failure(c.BeginAsync(ctx, nil)), driver.ErrBadConn)
		return nil
	}))
	await(t, e.ExecAsync(background, "UPDATE"))
}

func TestOverlaySavepoints(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectExec("SAVEPOINT sqlaio_1").WillReturnResult(done)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(done)
	m.ExpectExec("SAVEPOINT sqlaio_2").WillReturnResult(done)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(errScripted)
	m.ExpectExec("ROLLBACK TO SAVEPOINT sqlaio_2").WillReturnResult(done)
	m.ExpectExec("RELEASE SAVEPOINT sqlaio_2").WillReturnResult(done)
	m.ExpectExec("RELEASE SAVEPOINT sqlaio_1").WillReturnResult(done)
	m.ExpectCommit()
	ok(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		return c.WithNested(ctx, func(ctx context.Context, c *overlay.Conn) error {
			ok(t, update(ctx, c))
			same(t, c.WithNested(ctx, update), errScripted)
			return nil
		})
	}))
}

func TestOverlaySavepointsThatFail(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectExec("SAVEPOINT sqlaio_1").WillReturnError(errScripted)
	m.ExpectExec("SAVEPOINT sqlaio_2").WillReturnResult(done)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnResult(done)
	m.ExpectExec("RELEASE SAVEPOINT sqlaio_2").WillReturnError(errScripted)
	m.ExpectExec("ROLLBACK TO SAVEPOINT sqlaio_2").WillReturnResult(done)
	m.ExpectRollback()
	same(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		same(t, c.WithNested(ctx, update), errScripted)
		return c.WithNested(ctx, update)
	}), errScripted)
}

func TestOverlayNestedBatch(t *testing.T) {
	e, m := overlaytest.New(t)
	m.ExpectBegin()
	m.ExpectExec("SAVEPOINT sqlaio_1").WillReturnResult(done)
	m.ExpectExec("UPDATE").WithArgs(1).WillReturnError(errScripted)
	m.ExpectExec("ROLLBACK TO SAVEPOINT sqlaio_1").WillReturnResult(done)
	m.ExpectExec("RELEASE SAVEPOINT sqlaio_1").WillReturnResult(done)
	m.ExpectCommit()
	ok(t, e.WithTx(background, nil, func(ctx context.Context, c *overlay.Conn) error {
		batch := []overlay.Statement{{Query: "UPDATE", Args: []any{1}}, {Query: "UPDATE", Args: []any{2}}}
		wantText(t, failure(c.BatchAsync(ctx, batch, overlay.InTx(nil))), "statement 1 of 2")
		return nil
	}))
}

func TestOverlayCancelDuringADelay(t *testing.T) {
	query := func(ctx context.Context, e *overlay.Engine) error {
		return failure(e.QueryAsync(ctx, "SLOW"))
	}
	for name, c := range map[string]struct {
		expect func(sqlmock.Sqlmock)
		call   func(context.Context, *overlay.Engine) error
	}{
		"query": {func(m sqlmock.Sqlmock) { m.ExpectQuery("SLOW").WillDelayFor(never).WillReturnRows(one("n")) }, query},
		"exec": {func(m sqlmock.Sqlmock) { m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(done) },
			func(ctx context.Context, e *overlay.Engine) error { return failure(e.ExecAsync(ctx, "SLOW")) }},
		"run in thread": {func(m sqlmock.Sqlmock) { m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(done) },
			func(ctx context.Context, e *overlay.Engine) error {
				return failure(overlay.RunInThread(ctx, e, func(ctx context.Context, c *sql.Conn) (sql.Result, error) {
					return c.ExecContext(ctx, "SLOW")
				}))
			}},
		"in a transaction": {func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(done)
			m.ExpectRollback()
		}, func(ctx context.Context, e *overlay.Engine) error {
			return e.WithTx(background, nil, func(_ context.Context, c *overlay.Conn) error { return failure(c.ExecAsync(ctx, "SLOW")) })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArrival()
			e, m := overlaytest.New(t, overlaytest.WithQueryMatcher(a))
			c.expect(m)
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			go func() { <-a.at; cancel() }()
			same(t, c.call(ctx, e), sqlmock.ErrCancelled)
		})
	}
}

func TestOverlayCancelDuringABatch(t *testing.T) {
	a := newArrival()
	e, m := overlaytest.New(t, overlaytest.WithQueryMatcher(a))
	m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(done)
	f := e.BatchAsync(background, []overlay.Statement{{Query: "SLOW"}, {Query: "UPDATE"}})
	<-a.at
	f.Cancel()
	wantText(t, failure(f), "overlay: statement 1 of 2: "+sqlmock.ErrCancelled.Error())
}

func TestOverlayCancelBeforeTheCall(t *testing.T) {
	a := newArrival()
	e, m := overlaytest.New(t, overlaytest.WithQueryMatcher(a))
	m.ExpectExec("SLOW").WillDelayFor(never).WillReturnResult(done)
	slow := e.ExecAsync(background, "SLOW")
	<-a.at
	waits := e.ExecAsync(background, "UPDATE") // the only lane is busy
	waits.Cancel()
	same(t, failure(waits), context.Canceled)
	slow.Cancel()
	same(t, failure(slow), sqlmock.ErrCancelled)
}
