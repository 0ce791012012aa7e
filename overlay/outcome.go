package overlay

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/sqlaio/sqlaio/internal/pinned"
)

// What a caller is told has become of a call that was stopped, was not made, or has failed.

// unmade returns what is told of a call that is not made, or is stopped: why.
func (c *call) unmade(why error) error {
	if c.part && !errors.Is(why, ErrOutcomeUnknown) {
		return pinned.Unknown(why)
	}
	return why
}

// mayWrite reports whether the call may have written something: also one whose text says
// that it reads, and that a reading connection has refused.
func (c *call) mayWrite() bool { return c.kind != read || c.at.Load() != nil }

// verdict returns the error of work as the application gets it. It runs on the
// thread.
func (c *call) verdict(l *lane, err error) error {
	if err == nil {
		return nil
	}
	v := l.pc.Verdict(&c.pinned, err, c.mayWrite())
	if l.committing(c) && pinned.AnyIn(err, ioError) && !errors.Is(v, ErrOutcomeUnknown) {
		v = pinned.Unknown(v)
	}
	cause := c.stopped()
	// A function, and a driver that watches contexts itself, get one that is cancelled.
	cancelled := (c.kind == function || !l.pc.Stops()) && errors.Is(v, context.Canceled)
	switch {
	case cause == nil, errors.Is(v, ErrOutcomeUnknown), v != cause && errors.Is(v, cause), v != cause && !cancelled:
		return v
	case wraps(err) && (c.kind == function || cancelled):
		return fmt.Errorf("%w: %w", cause, err) // with what was made of it
	}
	return c.unmade(cause)
}

// committing reports whether a statement of a call that has failed had a COMMIT of its own,
// or may have been one.
func (l *lane) committing(c *call) bool {
	return (c.kind == write || c.repeatable || c.at.Load() != nil) && l.group == nil && !l.pc.InTx() && l.pc.Refused() == nil
}

// wraps reports whether an error has another one in it.
func wraps(err error) bool {
	switch err.(type) {
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		return true
	}
	return false
}

// isBad reports whether the connection is of no more use.
func isBad(err error) bool { return errors.Is(err, driver.ErrBadConn) }

// fit converts the rows of a statement that was carried out. The application's Scanners may
// panic there, or end the goroutine.
func (l *lane) fit(convert func() error) error {
	l.current.Load().part = l.kept()
	return l.misfit(guard(convert))
}

// misfit is the error of a statement's row that could not be converted: nil if it could.
func (l *lane) misfit(err error) error {
	if err == nil || !l.kept() {
		return err
	}
	return &misfitError{err}
}

// kept reports whether what the call that runs may have written stays whatever its error is:
// a group takes it back.
func (l *lane) kept() bool { return l.group == nil && l.current.Load().mayWrite() }

// misfitError is the error of a write that was carried out, and whose row does not fit.
type misfitError struct{ error }

func (e *misfitError) Error() string {
	return "sqlaio: the statement was carried out, but what it returned does not fit: " + e.error.Error()
}

func (e *misfitError) Unwrap() error { return e.error }

// Is says that the error does not deny the write.
func (e *misfitError) Is(target error) bool { return target == ErrOutcomeUnknown }
