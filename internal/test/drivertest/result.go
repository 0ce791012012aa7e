package drivertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"
)

// exec runs a script that returns no rows.
func (s Script) exec(o object, k Call, args []driver.NamedValue) (driver.Result, error) {
	if err := s.start(&o, k); err != nil {
		return nil, err
	}
	if s.slow > 0 {
		if err := o.sleep(k, s.slow); err != nil {
			return nil, err
		}
	}
	for _, a := range args {
		if out, ok := a.Value.(sql.Out); ok {
			if dest, ok := out.Dest.(*string); ok {
				*dest = "out"
			}
		}
	}
	if s.result == "echo" {
		s.affected = int64(len(args))
	}
	return &result{o, s}, nil
}

// start is what queries and other statements have in common.
func (s Script) start(o *object, k Call) error {
	switch {
	case s.fail != nil:
		return s.fail
	case s.badConn:
		return driver.ErrBadConn
	case s.interruptible:
		return o.wait(k.Ctx, k.interrupted, nil)
	}
	return nil
}

func (o *object) sleep(k Call, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	return o.wait(k.Ctx, k.interrupted, t.C)
}

// wait blocks until the time comes, the driver is released, the call is
// interrupted or its context ends.
func (o *object) wait(ctx context.Context, interrupted <-chan struct{}, t <-chan time.Time) error {
	var ended <-chan struct{}
	if ctx != nil {
		ended = ctx.Done()
	}
	select {
	case <-t:
		return nil
	case <-o.d.released:
		return nil
	case <-interrupted:
		return ErrInterrupted
	case <-ended:
		return ctx.Err()
	}
}

// result is a driver.Result.
type result struct {
	object
	script Script
}

// LastInsertId implements driver.Result.
func (r *result) LastInsertId() (int64, error) {
	return r.value("Result.LastInsertId", r.script.id, r.script.idErr)
}

// RowsAffected implements driver.Result.
func (r *result) RowsAffected() (int64, error) {
	return r.value("Result.RowsAffected", r.script.affected, r.script.affectedErr)
}

func (r *result) value(method string, n int64, fails bool) (int64, error) {
	err := r.do(method, nil, "", func(Call) error {
		if fails {
			return ErrResult
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
