package pinned

import (
	"context"
	"database/sql/driver"
)

// A Request is a query or a statement, with its arguments. The inner driver is asked
// to carry it out by the rules of database/sql, for drivers with and without the
// optional interfaces.
type Request struct {
	Query   string
	Args    []driver.NamedValue
	InPlace bool  // nobody else looks at Args: they may be converted where they are
	Stmt    *Stmt // nil: the connection itself executes Query
}

// exec carries the request out. skipped reports that ErrSkip came from a statement
// prepared for it, not from the connection.
func (q *Request) exec(ctx context.Context, c *Conn) (r driver.Result, skipped bool, err error) {
	if q.Stmt != nil {
		r, err = execStmt(ctx, c, q.Stmt.inner, q)
		return r, false, err
	}
	if r, err = execConn(ctx, c, q); err != driver.ErrSkip {
		return r, false, err
	}
	s, err := prepare(ctx, c.inner, q.Query)
	if err != nil {
		return nil, err == driver.ErrSkip, err
	}
	defer s.Close()
	r, err = execStmt(ctx, c, s, q)
	return r, err == driver.ErrSkip, err
}

// rows is exec for rows. s is the statement that was prepared for the request, if
// any. It is to be closed with the rows.
func (q *Request) rows(ctx context.Context, c *Conn) (rs driver.Rows, s driver.Stmt, skipped bool, err error) {
	if q.Stmt != nil {
		rs, err = queryStmt(ctx, c, q.Stmt.inner, q)
		return rs, nil, false, err
	}
	if rs, err = queryConn(ctx, c, q); err != driver.ErrSkip {
		return rs, nil, false, err
	}
	if s, err = prepare(ctx, c.inner, q.Query); err != nil {
		return nil, nil, err == driver.ErrSkip, err
	}
	if rs, err = queryStmt(ctx, c, s, q); err != nil {
		s.Close()
		return nil, nil, err == driver.ErrSkip, err
	}
	return rs, s, false, nil
}

// execConn executes without a statement. ErrSkip means it needs one.
func execConn(ctx context.Context, c *Conn, q *Request) (r driver.Result, err error) {
	modern, isModern := c.inner.(driver.ExecerContext)
	legacy, isLegacy := c.inner.(driver.Execer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, err := c.arguments(ctx, connChecker(c.inner), q, isModern)
	if err != nil {
		return nil, err
	}
	defer func() { args.restore(err) }()
	if isModern {
		return modern.ExecContext(ctx, q.Query, args.named)
	}
	return legacy.Exec(q.Query, args.values)
}

func queryConn(ctx context.Context, c *Conn, q *Request) (rs driver.Rows, err error) {
	modern, isModern := c.inner.(driver.QueryerContext)
	legacy, isLegacy := c.inner.(driver.Queryer)
	if !isModern && !isLegacy {
		return nil, driver.ErrSkip
	}
	args, err := c.arguments(ctx, connChecker(c.inner), q, isModern)
	if err != nil {
		return nil, err
	}
	defer func() { args.restore(err) }()
	if isModern {
		return modern.QueryContext(ctx, q.Query, args.named)
	}
	return legacy.Query(q.Query, args.values)
}

func execStmt(ctx context.Context, c *Conn, s driver.Stmt, q *Request) (r driver.Result, err error) {
	modern, isModern := s.(driver.StmtExecContext)
	args, err := c.arguments(ctx, stmtChecker(c.inner, s), q, isModern)
	if err != nil {
		return nil, err
	}
	defer func() { args.restore(err) }()
	if isModern {
		return modern.ExecContext(ctx, args.named)
	}
	return s.Exec(args.values)
}

func queryStmt(ctx context.Context, c *Conn, s driver.Stmt, q *Request) (rs driver.Rows, err error) {
	modern, isModern := s.(driver.StmtQueryContext)
	args, err := c.arguments(ctx, stmtChecker(c.inner, s), q, isModern)
	if err != nil {
		return nil, err
	}
	defer func() { args.restore(err) }()
	if isModern {
		return modern.QueryContext(ctx, args.named)
	}
	return s.Query(args.values)
}
