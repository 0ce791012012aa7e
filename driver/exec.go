package driver

import (
	"context"
	"database/sql/driver"
)

// ExecContext executes in one hop, also where the inner connection cannot
// without a statement, or declines with ErrSkip.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	var r *result
	skip := false
	err := c.do(ctx, func(inner context.Context) error {
		res, err := execConn(inner, c.inner, query, args)
		if err == driver.ErrSkip {
			res, err = c.execPrepared(inner, query, args)
			skip = err == driver.ErrSkip
		}
		r = readResult(res, err)
		return err
	})
	return finishExec(r, c.skip(skip, err))
}

// skip makes an ErrSkip that a statement returned arrive as it would from the
// bare driver. database/sql answers ErrSkip by preparing the statement
// itself; that has been done, so its attempt gets the same error at once.
func (c *conn) skip(skip bool, err error) error {
	c.skipped = skip
	return err
}

func readResult(inner driver.Result, err error) *result {
	if err != nil || inner == nil {
		return nil
	}
	r := new(result)
	r.read(inner)
	return r
}

// finishExec avoids a nil *result in a driver.Result.
func finishExec(r *result, err error) (driver.Result, error) {
	if err != nil || r == nil {
		return nil, err
	}
	return r, nil
}

// execConn executes without a statement. ErrSkip means it needs one.
func execConn(ctx context.Context, inner driver.Conn, query string, args []driver.NamedValue) (driver.Result, error) {
	modern, isModern := inner.(driver.ExecerContext)
	legacy, isLegacy := inner.(driver.Execer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, err := connChecker(inner).check(args)
	if err != nil {
		return nil, err
	}
	if isModern {
		return modern.ExecContext(ctx, query, args)
	}
	vs, err := values(args)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return legacy.Exec(query, vs)
}

func (c *conn) execPrepared(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := prepare(ctx, c.inner, query)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return execStmt(ctx, c.inner, s, args)
}

func execStmt(ctx context.Context, conn driver.Conn, s driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	args, err := stmtChecker(conn, s).check(args)
	if err != nil {
		return nil, err
	}
	if modern, ok := s.(driver.StmtExecContext); ok {
		return modern.ExecContext(ctx, args)
	}
	vs, err := values(args)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.Exec(vs)
}
