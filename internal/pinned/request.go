package pinned

import (
	"context"
	"database/sql/driver"
)

// A Request is a query or a statement, with its arguments. The inner driver is asked
// to carry it out by the rules of database/sql, for drivers with and without the
// optional interfaces.
type Request struct {
	Query string
	Args  []driver.NamedValue
	Stmt  *Stmt // nil: the connection itself executes Query
}

// exec carries the request out. skipped reports that ErrSkip came from a statement
// prepared for it, not from the connection.
func (q *Request) exec(ctx context.Context, c driver.Conn) (r driver.Result, skipped bool, err error) {
	if q.Stmt != nil {
		r, err = execStmt(ctx, c, q.Stmt.inner, q.Args)
		return r, false, err
	}
	if r, err = execConn(ctx, c, q.Query, q.Args); err != driver.ErrSkip {
		return r, false, err
	}
	s, err := prepare(ctx, c, q.Query)
	if err != nil {
		return nil, err == driver.ErrSkip, err
	}
	defer s.Close()
	r, err = execStmt(ctx, c, s, q.Args)
	return r, err == driver.ErrSkip, err
}

// rows is exec for rows. s is the statement that was prepared for the request, if
// any. It is to be closed with the rows.
func (q *Request) rows(ctx context.Context, c driver.Conn) (rs driver.Rows, s driver.Stmt, skipped bool, err error) {
	if q.Stmt != nil {
		rs, err = queryStmt(ctx, c, q.Stmt.inner, q.Args)
		return rs, nil, false, err
	}
	if rs, err = queryConn(ctx, c, q.Query, q.Args); err != driver.ErrSkip {
		return rs, nil, false, err
	}
	if s, err = prepare(ctx, c, q.Query); err != nil {
		return nil, nil, err == driver.ErrSkip, err
	}
	if rs, err = queryStmt(ctx, c, s, q.Args); err != nil {
		s.Close()
		return nil, nil, err == driver.ErrSkip, err
	}
	return rs, s, false, nil
}

// execConn executes without a statement. ErrSkip means it needs one.
func execConn(ctx context.Context, c driver.Conn, query string, args []driver.NamedValue) (driver.Result, error) {
	modern, isModern := c.(driver.ExecerContext)
	legacy, isLegacy := c.(driver.Execer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, vs, err := connChecker(c).values(ctx, args, isModern)
	switch {
	case err != nil:
		return nil, err
	case isModern:
		return modern.ExecContext(ctx, query, args)
	}
	return legacy.Exec(query, vs)
}

func queryConn(ctx context.Context, c driver.Conn, query string, args []driver.NamedValue) (driver.Rows, error) {
	modern, isModern := c.(driver.QueryerContext)
	legacy, isLegacy := c.(driver.Queryer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, vs, err := connChecker(c).values(ctx, args, isModern)
	switch {
	case err != nil:
		return nil, err
	case isModern:
		return modern.QueryContext(ctx, query, args)
	}
	return legacy.Query(query, vs)
}

func execStmt(ctx context.Context, c driver.Conn, s driver.Stmt, args []driver.NamedValue) (driver.Result, error) {
	modern, isModern := s.(driver.StmtExecContext)
	args, vs, err := stmtChecker(c, s).values(ctx, args, isModern)
	switch {
	case err != nil:
		return nil, err
	case isModern:
		return modern.ExecContext(ctx, args)
	}
	return s.Exec(vs)
}

func queryStmt(ctx context.Context, c driver.Conn, s driver.Stmt, args []driver.NamedValue) (driver.Rows, error) {
	modern, isModern := s.(driver.StmtQueryContext)
	args, vs, err := stmtChecker(c, s).values(ctx, args, isModern)
	switch {
	case err != nil:
		return nil, err
	case isModern:
		return modern.QueryContext(ctx, args)
	}
	return s.Query(vs)
}
