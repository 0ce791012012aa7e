//go:build cgo

package overlay_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/mattn/go-sqlite3"

	dt "github.com/sqlaio/sqlaio/internal/test/drivertest"
	"github.com/sqlaio/sqlaio/overlay"
)

// stateError is as those of the drivers for PostgreSQL.
type stateError string

func (e stateError) Error() string    { return "ERROR: something (SQLSTATE " + string(e) + ")" }
func (e stateError) SQLState() string { return string(e) }

func mysqlError(number uint16) error {
	return &mysqldriver.MySQLError{Number: number, SQLState: [5]byte{'H', 'Y', '0', '0', '0'}, Message: "something"}
}

// conflicting are errors of a transaction that was certainly not committed.
var conflicting = []error{
	mysqlError(1213), mysqlError(1205), mysqlError(1047), mysqlError(1020),
	&mysqldriver.MySQLError{Number: 1213, Message: "Deadlock found"},
	stateError("40001"), stateError("40P01"), stateError("55P03"),
	sqlite3.Error{Code: sqlite3.ErrBusy}, sqlite3.Error{Code: sqlite3.ErrLocked},
	errors.New("database is locked (5) (SQLITE_BUSY)"), errors.New("sqlite3: database is locked"),
}

// losing are errors of a connection that was lost.
var losing = []error{
	driver.ErrBadConn, mysqldriver.ErrInvalidConn, mysqlError(1053), mysqlError(1927),
	io.ErrUnexpectedEOF, net.ErrClosed, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET},
	stateError("08006"), stateError("57P01"), errors.New("conn closed"),
}

// lasting are errors that would come again.
var lasting = []error{
	errors.New("boom"), mysqlError(1062), stateError("23505"), sqlite3.Error{Code: sqlite3.ErrConstraint},
	io.EOF, &fs.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, fmt.Errorf("no error 1213"),
	context.Canceled, &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded},
	overlay.ErrClosed, fmt.Errorf("%w: %w", overlay.ErrOutcomeUnknown, driver.ErrBadConn),
}

// attempts makes a transaction with RetryTx and returns how often, and its error.
func attempts(e *overlay.Engine, fn func(attempt int) error) (int, error) {
	n := 0
	err := e.RetryTx(context.Background(), nil, func(context.Context, *overlay.Conn) error {
		n++
		return fn(n)
	})
	return n, err
}

func TestRetryTxRetriesWhatPasses(t *testing.T) {
	_, e := faked(t)
	for _, passing := range append(conflicting, losing...) {
		n, err := attempts(e, func(attempt int) error {
			if attempt == 1 {
				return fmt.Errorf("writing: %w", errors.Join(io.EOF, passing))
			}
			return nil
		})
		if n != 2 || err != nil {
			t.Errorf("%v: %d attempts, %v", passing, n, err)
		}
	}
}

func TestRetryTxReturnsWhatLastsUntouched(t *testing.T) {
	_, e := faked(t)
	for _, boom := range lasting {
		if n, err := attempts(e, func(int) error { return boom }); n != 1 || err != boom {
			t.Errorf("%v: %d attempts, %v", boom, n, err)
		}
	}
}

func TestRetryTxRetriesAConflictOfTheCommit(t *testing.T) {
	for _, conflict := range conflicting {
		d, e := faked(t)
		d.On("Tx.Commit", dt.First(1, dt.Return(conflict)))
		if n, err := attempts(e, func(int) error { return nil }); n != 2 || err != nil {
			t.Errorf("%v: %d attempts, %v", conflict, n, err)
		}
	}
}

func TestRetryTxReportsACommitWithoutAnAnswer(t *testing.T) {
	for _, lost := range append(losing, io.EOF, mysqlError(1180), stateError("40003")) {
		d, e := faked(t)
		d.On("Tx.Commit", dt.First(1, dt.Return(lost)))
		n, err := attempts(e, func(int) error { return nil })
		if n != 1 || !errors.Is(err, overlay.ErrOutcomeUnknown) || !errors.Is(err, lost) {
			t.Errorf("%v: %d attempts, %v", lost, n, err)
		} else if strings.Count(err.Error(), overlay.ErrOutcomeUnknown.Error()) > 1 {
			t.Errorf("it is said twice: %v", err)
		}
	}
}

func TestRetryTxReturnsARefusalOfTheCommitUntouched(t *testing.T) {
	d, e := faked(t)
	refusal := stateError("23505") // a deferred constraint
	d.On("Tx.Commit", dt.Return(refusal))
	if n, err := attempts(e, func(int) error { return nil }); n != 1 || err != error(refusal) {
		t.Errorf("%d attempts, %v", n, err)
	}
}

func TestRetryTxConnectsAndBeginsAgain(t *testing.T) {
	for _, method := range []string{"Connector.Connect", "Conn.BeginTx"} {
		d, e := faked(t)
		d.On(method, dt.First(3, dt.Return(&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED})))
		if n, err := attempts(e, func(int) error { return nil }); n != 1 || err != nil {
			t.Errorf("%s: %d attempts, %v", method, n, err)
		}
		if calls := d.Count(method); calls != 4 {
			t.Errorf("%s was called %d times", method, calls)
		}
	}
}

func TestRetryTxGivesUpWithItsContext(t *testing.T) {
	_, e := faked(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := e.RetryTx(ctx, nil, func(context.Context, *overlay.Conn) error { return driver.ErrBadConn })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestRetryTxLetsPanicsPass(t *testing.T) {
	_, e := faked(t)
	defer func() {
		if v := recover(); v != "boom" {
			t.Error(v)
		}
	}()
	attempts(e, func(int) error { panic("boom") })
}
