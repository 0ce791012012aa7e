// Package sqlaio_test shows how an application tests its database code with
// go-sqlmock: with database/sql alone, through the driver aio, and on an engine
// of package overlay. Copy what you need. How the mock behaves in detail is
// tested in internal/test/sqlmock.
package sqlaio_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	_ "github.com/sqlaio/sqlaio/driver" // registers aio
	"github.com/sqlaio/sqlaio/overlay"
	"github.com/sqlaio/sqlaio/overlay/overlaytest"
)

// The code under test: the same function on a database and on an engine.

func transfer(ctx context.Context, db *sql.DB, from, to, amount int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance - ? WHERE id = ?", amount, from); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET balance = balance + ? WHERE id = ?", amount, to); err != nil {
		return err
	}
	return tx.Commit()
}

func transferAsync(ctx context.Context, engine *overlay.Engine, from, to, amount int) error {
	return engine.WithTx(ctx, nil, func(ctx context.Context, c *overlay.Conn) error {
		_, err := c.BatchAsync(ctx, []overlay.Statement{
			{Query: "UPDATE accounts SET balance = balance - ? WHERE id = ?", Args: []any{amount, from}},
			{Query: "UPDATE accounts SET balance = balance + ? WHERE id = ?", Args: []any{amount, to}},
		}).Await(ctx)
		return err
	})
}

// What the tests expect of it.

var errLocked = errors.New("database is locked")

func expectTransfer(mock sqlmock.Sqlmock) {
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE accounts SET balance = balance -").WithArgs(50, 1).WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectExec(`UPDATE accounts SET balance = balance \+`).WithArgs(50, 2).WillReturnResult(sqlmock.NewResult(0, 1))
	mock.ExpectCommit()
}

func expectFailure(mock sqlmock.Sqlmock) {
	mock.ExpectBegin()
	mock.ExpectExec("UPDATE accounts SET balance = balance -").WithArgs(50, 1).WillReturnError(errLocked)
	mock.ExpectRollback()
}

// bareAndAio runs a test on a mock twice: opened by sqlmock itself, and through
// aio. To the code under test there is no difference.
func bareAndAio(t *testing.T, test func(t *testing.T, db *sql.DB, mock sqlmock.Sqlmock)) {
	for _, way := range []string{"bare", "aio"} {
		t.Run(way, func(t *testing.T) {
			db, mock, err := sqlmock.NewWithDSN(t.Name())
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if way == "aio" {
				if db, err = sql.Open("aio", "sqlmock:"+t.Name()); err != nil {
					t.Fatal(err)
				}
				defer db.Close()
			}
			test(t, db, mock)
			if err := mock.ExpectationsWereMet(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTransfer(t *testing.T) {
	bareAndAio(t, func(t *testing.T, db *sql.DB, mock sqlmock.Sqlmock) {
		expectTransfer(mock)
		if err := transfer(t.Context(), db, 1, 2, 50); err != nil {
			t.Error(err)
		}
	})
}

// The driver's error arrives as it is, and the transaction is rolled back.
func TestTransferThatFails(t *testing.T) {
	bareAndAio(t, func(t *testing.T, db *sql.DB, mock sqlmock.Sqlmock) {
		expectFailure(mock)
		if err := transfer(t.Context(), db, 1, 2, 50); err != errLocked {
			t.Errorf("got %v, want %v", err, errLocked)
		}
	})
}

// With an engine, overlaytest looks after the mock: the test also fails for an
// expectation that was not met and for whatever was left open.
func TestTransferOnAnEngine(t *testing.T) {
	engine, mock := overlaytest.New(t)
	expectTransfer(mock)

	if err := transferAsync(t.Context(), engine, 1, 2, 50); err != nil {
		t.Error(err)
	}
}

func TestTransferOnAnEngineThatFails(t *testing.T) {
	engine, mock := overlaytest.New(t)
	expectFailure(mock)

	if err := transferAsync(t.Context(), engine, 1, 2, 50); !errors.Is(err, errLocked) {
		t.Errorf("got %v, want %v", err, errLocked)
	}
}
