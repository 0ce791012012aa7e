package driver

import (
	"context"
	"database/sql/driver"
)

// QueryContext queries in one hop, which brings the columns and the first rows
// along, also where the inner connection needs a statement for it.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	skip := false
	r, err := c.query(ctx, query, func(inner context.Context) (driver.Rows, driver.Stmt, error) {
		rs, err := queryConn(inner, c.inner, query, args)
		if err != driver.ErrSkip {
			return rs, nil, err
		}
		rs, s, err := c.queryPrepared(inner, query, args)
		skip = err == driver.ErrSkip
		return rs, s, err
	})
	return r, c.skip(skip, err)
}

func queryConn(ctx context.Context, inner driver.Conn, query string, args []driver.NamedValue) (driver.Rows, error) {
	modern, isModern := inner.(driver.QueryerContext)
	legacy, isLegacy := inner.(driver.Queryer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, err := connChecker(inner).check(args)
	if err != nil {
		return nil, err
	}
	if isModern {
		return modern.QueryContext(ctx, query, args)
	}
	vs, err := values(args)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return legacy.Query(query, vs)
}

// queryPrepared returns the statement, which is to be closed with the rows.
func (c *conn) queryPrepared(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, driver.Stmt, error) {
	s, err := prepare(ctx, c.inner, query)
	if err != nil {
		return nil, nil, err
	}
	rs, err := queryStmt(ctx, c.inner, s, args)
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return rs, s, nil
}

func queryStmt(ctx context.Context, conn driver.Conn, s driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	args, err := stmtChecker(conn, s).check(args)
	if err != nil {
		return nil, err
	}
	if modern, ok := s.(driver.StmtQueryContext); ok {
		return modern.QueryContext(ctx, args)
	}
	vs, err := values(args)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.Query(vs)
}
