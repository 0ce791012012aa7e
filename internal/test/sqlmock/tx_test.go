package sqlmock_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"
	aio "github.com/sqlaio/sqlaio/driver"
)

// transfer is code under test as sqlmock's README has it.
func transfer(db *sql.DB) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
		}
	}()
	if _, err = tx.Exec("UPDATE accounts SET n = n - 1 WHERE id = ?", 1); err != nil {
		return err
	}
	if _, err = tx.Exec("UPDATE accounts SET n = n + 1 WHERE id = ?", 2); err != nil {
		return err
	}
	return tx.Commit()
}

func TestTransactionSteps(t *testing.T) {
	const update = "UPDATE accounts"
	done := sqlmock.NewResult(0, 1)
	for name, expect := range map[string]func(sqlmock.Sqlmock) error{
		"commits": func(m sqlmock.Sqlmock) error {
			m.ExpectBegin()
			m.ExpectExec(update).WithArgs(1).WillReturnResult(done)
			m.ExpectExec(update).WithArgs(2).WillReturnResult(done)
			m.ExpectCommit()
			return nil
		},
		"begin fails": func(m sqlmock.Sqlmock) error {
			m.ExpectBegin().WillReturnError(errScripted)
			return errScripted
		},
		"first statement fails": func(m sqlmock.Sqlmock) error {
			m.ExpectBegin()
			m.ExpectExec(update).WithArgs(1).WillReturnError(errScripted)
			m.ExpectRollback()
			return errScripted
		},
		"second statement fails, and the rollback": func(m sqlmock.Sqlmock) error {
			m.ExpectBegin()
			m.ExpectExec(update).WithArgs(1).WillReturnResult(done)
			m.ExpectExec(update).WithArgs(2).WillReturnError(errScripted)
			m.ExpectRollback().WillReturnError(sql.ErrConnDone)
			return errScripted
		},
		"commit fails": func(m sqlmock.Sqlmock) error { // database/sql does not roll back then
			m.ExpectBegin()
			m.ExpectExec(update).WithArgs(1).WillReturnResult(done)
			m.ExpectExec(update).WithArgs(2).WillReturnResult(done)
			m.ExpectCommit().WillReturnError(errScripted)
			return errScripted
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want error
			everyWay(t, script{
				expect: func(m sqlmock.Sqlmock) { want = expect(m) },
				run:    func(t *testing.T, db *sql.DB) { same(t, transfer(db), want) },
			})
		})
	}
}

func TestRollback(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectBegin()
			m.ExpectRollback()
			m.ExpectBegin()
			m.ExpectRollback().WillReturnError(errScripted)
		},
		run: func(t *testing.T, db *sql.DB) {
			tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelSerializable, ReadOnly: true})
			ok(t, err)
			ok(t, tx.Rollback())
			same(t, tx.Rollback(), sql.ErrTxDone)
			same(t, tx.Commit(), sql.ErrTxDone)
			tx, err = db.Begin()
			ok(t, err)
			same(t, tx.Rollback(), errScripted)
		},
	})
}

func TestPreparedStatement(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			p := m.ExpectPrepare("INSERT").WillBeClosed()
			p.ExpectExec().WithArgs(1).WillReturnResult(sqlmock.NewResult(10, 1))
			p.ExpectExec().WithArgs(2).WillReturnError(errScripted)
			m.ExpectPrepare("SELECT").WillBeClosed().ExpectQuery().WithArgs("x").WillReturnRows(one("n").AddRow(3))
		},
		run: func(t *testing.T, db *sql.DB) {
			s, err := db.Prepare("INSERT")
			ok(t, err)
			r, err := s.Exec(1)
			ok(t, err)
			id, err := r.LastInsertId()
			ok(t, err)
			same(t, id, 10)
			_, err = s.Exec(2)
			same(t, err, errScripted)
			ok(t, s.Close())
			s, err = db.Prepare("SELECT")
			ok(t, err)
			var n int
			ok(t, s.QueryRow("x").Scan(&n))
			same(t, n, 3)
			ok(t, s.Close())
		},
	})
}

func TestPreparedStatementErrors(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectPrepare("INSERT").WillReturnError(errScripted)
			m.ExpectPrepare("INSERT").WillReturnCloseError(errScripted).WillBeClosed()
		},
		run: func(t *testing.T, db *sql.DB) {
			_, err := db.Prepare("INSERT")
			same(t, err, errScripted)
			conn, err := db.Conn(context.Background()) // whose statements report the error
			ok(t, err)
			defer conn.Close()
			s, err := conn.PrepareContext(context.Background(), "INSERT")
			ok(t, err)
			same(t, s.Close(), errScripted)
			_, err = s.Exec()
			wantText(t, err, "statement is closed")
		},
	})
}

func TestPreparedStatementLeftOpenIsReported(t *testing.T) {
	var left *sql.Stmt
	var conn *sql.Conn
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) { m.ExpectPrepare("SELECT left").WillBeClosed() },
		run: func(t *testing.T, db *sql.DB) {
			ctx := context.Background()
			var err error
			conn, err = db.Conn(ctx) // keeps the statement open after db.Close
			ok(t, err)
			left, err = conn.PrepareContext(ctx, "SELECT left")
			ok(t, err)
			t.Cleanup(func() { left.Close(); conn.Close() })
		},
		unmet: "expected prepared statement to be closed, but it was not",
	})
}

func TestStatementInATransactionClosesBeforeTheCommitEnds(t *testing.T) {
	everyWay(t, script{
		expect: func(m sqlmock.Sqlmock) {
			m.ExpectPrepare("UPDATE").WillBeClosed()
			m.ExpectBegin()
			m.ExpectPrepare("INSERT").WillBeClosed().ExpectExec().WithArgs("a").WillReturnResult(sqlmock.NewResult(1, 1))
			m.ExpectExec("UPDATE").WithArgs(7).WillReturnResult(sqlmock.NewResult(0, 1))
			m.ExpectCommit()
		},
		run: func(t *testing.T, db *sql.DB) {
			outer, err := db.Prepare("UPDATE")
			ok(t, err)
			tx, err := db.Begin()
			ok(t, err)
			inner, err := tx.Prepare("INSERT")
			ok(t, err)
			_, err = inner.Exec("a")
			ok(t, err)
			_, err = tx.Stmt(outer).Exec(7)
			ok(t, err)
			ok(t, tx.Commit())
			ok(t, outer.Close())
		},
	})
}

// database/sql closes them itself; others may rely on the connection.
func TestConnectionClosesItsStatements(t *testing.T) {
	s := script{}
	mock, dsn := s.mock(t)
	watch := &spy{driver: mockDriver(t), dsn: dsn}
	mock.ExpectPrepare("INSERT").WillBeClosed()
	mock.ExpectClose()
	c, err := aio.NewConnector(watch).Connect(background)
	ok(t, err)
	_, err = c.Prepare("INSERT")
	ok(t, err)
	ok(t, c.Close())
	ok(t, mock.ExpectationsWereMet())
	same(t, watch.log(), "Prepare \"INSERT\"\nStmt.Close\nConn.Close")
	same(t, len(watch.strayed()), 0)
}
