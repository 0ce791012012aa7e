package drivertest

import (
	"errors"
	"fmt"
)

// Errors that scripts make the driver return, always as these very values.
var (
	ErrScripted    = errors.New("drivertest: scripted failure")
	ErrRow         = errors.New("drivertest: row failed")
	ErrSet         = errors.New("drivertest: result set failed")
	ErrClose       = errors.New("drivertest: close failed")
	ErrResult      = errors.New("drivertest: no such result value")
	ErrArg         = errors.New("drivertest: argument refused")
	ErrConvert     = errors.New("drivertest: column refused the value")
	ErrInterrupted = errors.New("drivertest: interrupted")
	ErrTx          = errors.New("drivertest: a transaction is open already")
)

// A CodeError is a driver's own error type, for errors.As.
type CodeError struct{ Code int }

func (e *CodeError) Error() string { return fmt.Sprintf("drivertest: code %d", e.Code) }
