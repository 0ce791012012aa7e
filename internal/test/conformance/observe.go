package conformance

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/sqlaio/sqlaio/internal/test/drivertest"
)

// sentinels are the errors that programs compare with.
var sentinels = []error{
	io.EOF, io.ErrUnexpectedEOF, driver.ErrSkip, driver.ErrBadConn, driver.ErrRemoveArgument,
	context.Canceled, context.DeadlineExceeded,
	sql.ErrNoRows, sql.ErrTxDone, sql.ErrConnDone,
	drivertest.ErrScripted, drivertest.ErrRow, drivertest.ErrSet, drivertest.ErrClose, drivertest.ErrResult,
	drivertest.ErrArg, drivertest.ErrConvert, drivertest.ErrInterrupted, drivertest.ErrTx,
}

// describeError tells an error's text, which sentinels it is and which it
// only wraps, and the driver's own error type inside it.
func describeError(err error) string {
	if err == nil {
		return "no error"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "error %q", err.Error())
	for _, s := range sentinels {
		switch {
		case err == s: // identity is what is compared
			fmt.Fprintf(&b, " == %q", s.Error())
		case errors.Is(err, s):
			fmt.Fprintf(&b, " is %q", s.Error())
		}
	}
	var coded *drivertest.CodeError
	if errors.As(err, &coded) {
		_, itself := err.(*drivertest.CodeError) // identity is what is compared
		fmt.Fprintf(&b, " as CodeError %d, itself %t", coded.Code, itself)
	}
	return b.String()
}

// Result writes down a result.
func (e *Env) Result(label string, res sql.Result, err error) {
	if e.Err(label, err) {
		return
	}
	id, err := res.LastInsertId()
	e.See(label+" id", id, err)
	n, err := res.RowsAffected()
	e.See(label+" affected", n, err)
}

// Rows reads all result sets to their end and writes down all there is.
func (e *Env) Rows(label string, rows *sql.Rows, err error) {
	if e.Err(label, err) {
		return
	}
	for more := true; more; more = rows.NextResultSet() {
		names, err := rows.Columns()
		e.See(label+" columns", names, err)
		for rows.Next() {
			e.Row(label, rows)
		}
		e.Err(label+" Err", rows.Err())
	}
	e.Err(label+" last Err", rows.Err())
	e.Err(label+" Close", rows.Close())
}

// Row writes down the current row.
func (e *Env) Row(label string, rows *sql.Rows) {
	names, err := rows.Columns()
	if err != nil {
		e.Err(label+" Columns", err)
		return
	}
	values := make([]any, len(names))
	dests := make([]any, len(names))
	for i := range values {
		dests[i] = &values[i]
	}
	if err := rows.Scan(dests...); err != nil {
		e.Err(label+" Scan", err)
		return
	}
	e.See(label+" row", values...)
}

// Columns writes down the columns and their types.
func (e *Env) Columns(label string, rows *sql.Rows) {
	names, err := rows.Columns()
	e.See(label+" columns", names, err)
	types, err := rows.ColumnTypes()
	if e.Err(label+" ColumnTypes", err) {
		return
	}
	for _, t := range types {
		length, hasLength := t.Length()
		precision, scale, hasSize := t.DecimalSize()
		nullable, hasNullable := t.Nullable()
		e.See(label+" type", t.Name(), t.DatabaseTypeName(), fmt.Sprint(t.ScanType()), length, hasLength,
			precision, scale, hasSize, nullable, hasNullable)
	}
}
